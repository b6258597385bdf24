"""The folders that come with the package, in a checkout and after ``pip install``, and what is in them."""

from pathlib import Path

_PACKAGE = Path(__file__).parent

#: The networks that ship, by the names that ``--model`` and ``load_estimator`` take, and the one that is the default.
NETWORKS = {
    'x1.0': 'dy-mobilenetv2-x1.0_photographs-256x192.onnx',
    'x1.0-collapsed': 'dy-mobilenetv2-x1.0-collapsed_photographs-256x192.onnx',  # static, see deploy.collapse
    'x1.0-static': 'mobilenetv2-x1.0_photographs-256x192.onnx',
    'x1.75': 'dy-mobilenetv2-x1.75_photographs-256x192.onnx',
    'x1.75-static': 'mobilenetv2-x1.75_photographs-256x192.onnx',
}
DEFAULT_NETWORK = 'x1.75'

#: The detector of persons that ships.
DETECTOR = 'movenet-multipose-384x384.onnx'


def folder(name: str) -> Path:
    """A folder of the repository, such as ``configs``: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def find_weights(name: str) -> Path:
    """A file of weights that ships; a FileNotFoundError where it is missing."""
    path = folder('checkpoints') / name
    if not path.is_file():
        raise FileNotFoundError(
            f'The file "{path}", which comes with the project, is missing: install or check the project out again, or '
            'name another model and detector (--model, MODEL.onnx, --boxes).'
        )
    return path


def find_config(name: str | Path) -> Path:
    """The config of a path or, from any folder, of a name such as ``td-hm_dy-res18_8xb64-210e_coco-256x192``.

    A FileNotFoundError is raised where there is neither such a file nor such a config.
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
        f'The config must be a file or the name of one in "{configs}" (docs/models.md), got "{name}"; networks that '
        f'ship are {", ".join(NETWORKS)}.'
    )
