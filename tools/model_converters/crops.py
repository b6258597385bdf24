"""Crops of people, as a top-down network sees them, by COCO annotations."""

from pathlib import Path

import cv2
import numpy as np
import torch
from pycocotools.coco import COCO
from torch import Tensor


def read_crops(ann_file: str | Path, images: str | Path, number: int, size: tuple[int, int] = (192, 256)) -> Tensor:
    """Crops of the first persons of a random order, as a top-down network sees them.

    Args:
        ann_file: COCO annotations.
        images: Folder of the images.
        number: How many crops.
        size: Their width and height.

    Returns:
        (B, 3, H, W), RGB from -1 to 1.

    Raises:
        FileNotFoundError: There is no such file or no such image.
    """
    if not Path(ann_file).is_file():
        raise FileNotFoundError(
            f'There is no file {ann_file}: give --ann-file and --images, people by COCO annotations.'
        )
    coco = COCO(str(ann_file))
    chosen = np.random.default_rng(0).permutation(sorted(coco.anns))[:number]
    crops = [_crop(coco.anns[index], coco, Path(images), *size) for index in chosen]
    return torch.from_numpy(np.stack(crops)[..., ::-1].copy()).float().permute(0, 3, 1, 2) / 127.5 - 1


def _crop(person: dict, coco: COCO, images: Path, width: int, height: int) -> np.ndarray:
    path = images / coco.imgs[person['image_id']]['file_name']
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(f'There is no readable image {path}: --images is the folder of the images.')
    left, top, w, h = person['bbox']
    scale = height / (1.25 * max(h, w * height / width))
    matrix = [[scale, 0, width / 2 - scale * (left + w / 2)], [0, scale, height / 2 - scale * (top + h / 2)]]
    return cv2.warpAffine(image, np.array(matrix, np.float32), (width, height))
