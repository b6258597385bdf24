"""The folders that come with the package, in a checkout and after ``pip install``."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """A folder of the repository, such as ``configs``: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def find_config(name: str | Path) -> Path:
    """The config of a path or, from any folder, of a name such as ``td-hm_dy-res18_8xb64-210e_coco-256x192``.

    Raises:
        FileNotFoundError: There is neither such a file nor such a config.
    """
    path = Path(name)
    if path.is_file():
        return path
    configs = folder('configs')
    if path.parts and path.parts[0] == 'configs' and (configs.parent / path).is_file():
        return configs.parent / path
    if len(path.parts) == 1:
        found = sorted(configs.rglob(f'{str(path).removesuffix(".py")}.py'))
        if found:
            return found[0]
    raise FileNotFoundError(
        f'The config must be a file or the name of one in "{configs}", got "{name}": see docs/models.md for the names.'
    )
