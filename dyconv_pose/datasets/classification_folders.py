"""Images in class folders, for MMPretrain, an extra: ``pip install .[classification]``.

Configs that classify import this module. Their networks are this project's, by scope (``type='mmpose.DyMobileNetV2'``).
"""

from pathlib import Path

from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS

from dyconv_pose import registration  # noqa: F401  MMPose's registry and this project's components


@DATASETS.register_module()
class ClassFolders(CustomDataset):
    """Images in one sub-folder for each class, whose name is the class's; a class without images is a ValueError."""

    def _find_samples(self) -> list[tuple[str, int]]:
        folder = Path(self.img_prefix)
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if not names:
            raise ValueError(f'"{folder}" must hold one sub-folder for each class and holds none.')
        for name in names:
            files = (path for path in (folder / name).rglob('*') if path.is_file())
            if not any(self.is_valid_file(str(path)) for path in files):
                raise ValueError(
                    f'Every class folder must hold an image ({", ".join(self.extensions)}), and "{folder / name}" '
                    'holds none: put images there or remove it.'
                )
        return super()._find_samples()
