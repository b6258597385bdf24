"""Image classification by MMPretrain, an extra: ``pip install .[classification]``.

The networks are this project's, by scope (``type='mmpose.DyMobileNetV2'``). Configs that classify import this module,
which needs MMPretrain; nothing else of the project does.
"""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS, TRANSFORMS

import dyconv_pose.registration  # noqa: F401  MMPose's registry and this project's components
from dyconv_pose.apis import build_model, load_weights


@DATASETS.register_module()
class ClassFolders(CustomDataset):
    """Pictures in folders that hold one sub-folder for each class; the classes are the names of the sub-folders.

    Args:
        **kwargs: Those of MMPretrain's ``CustomDataset``.

    Raises:
        ValueError: A class has no picture, or there is no class.
    """

    def _find_samples(self) -> list[tuple[str, int]]:
        folder = Path(self.img_prefix)
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if not names:
            raise ValueError(f'"{folder}" must hold one sub-folder for each class and holds none.')
        for name in names:
            files = (path for path in (folder / name).rglob('*') if path.is_file())
            if not any(self.is_valid_file(str(path)) for path in files):
                raise ValueError(
                    f'Every class folder must hold a picture ({", ".join(self.extensions)}), and "{folder / name}" '
                    'holds none: put pictures there or remove it.'
                )
        return super()._find_samples()


def classify(
    config: Config, checkpoint: str | Path, image: str | Path, topk: int = 5, trust: bool = False
) -> list[tuple[str, float]]:
    """Classifies one picture.

    Args:
        config: The config of the classifier.
        checkpoint: Its weights, written by a training, with the names of the classes.
        image: The picture's file.
        topk: How many classes to return at most.
        trust: Whether the checkpoint may run code while it is read.

    Returns:
        Names and probabilities of the likeliest classes, best first.

    Raises:
        FileNotFoundError: The picture or the checkpoint does not exist.
        ValueError: The checkpoint does not fit the config.
    """
    if not Path(image).is_file():
        raise FileNotFoundError(f'The picture must be an existing file, got "{image}".')
    model = build_model(config)
    meta = load_weights(model, checkpoint, trust).get('meta', {})
    classes = meta.get('dataset_meta', {}).get('classes')
    model.eval()
    with TRANSFORMS.switch_scope_and_registry('mmpretrain'):
        pipeline = Compose(config.test_dataloader.dataset.pipeline)
    with torch.no_grad():
        (result,) = model.test_step(pseudo_collate([pipeline(dict(img_path=str(image)))]))
    scores, labels = result.pred_score.topk(min(topk, len(result.pred_score)))
    names = [classes[label] if classes else str(label) for label in labels.tolist()]
    return list(zip(names, scores.tolist(), strict=True))
