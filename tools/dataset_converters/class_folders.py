"""A seeded set of pictures in class folders, to show in a minute that a classifier learns."""

from pathlib import Path

import cv2
import numpy as np

#: The classes, and their hues as OpenCV counts them: 0 to 179.
HUES = {'red': 0, 'yellow': 30, 'green': 60, 'cyan': 90, 'blue': 120, 'magenta': 150}

_SIDE = 72  # pixels


def make_class_folders(folder: str | Path, num_train: int = 32, num_val: int = 8, seed: int = 0) -> None:
    """Writes ``train/`` and ``val/``, each with a folder for every class; the pictures of a class have one hue.

    Saturation and brightness are noise, so that no single pixel says the class. Pictures that are there already are
    written anew.

    Args:
        folder: Where the set is to be.
        num_train: Pictures of each class to train on.
        num_val: Pictures of each class to score.
        seed: Another seed gives other noise.

    Raises:
        ValueError: A number of pictures is less than 1.
    """
    if min(num_train, num_val) < 1:
        raise ValueError(f'Every class needs a picture in each part, got num_train={num_train}, num_val={num_val}.')
    random = np.random.default_rng(seed)
    for split, number in (('train', num_train), ('val', num_val)):
        for name, hue in HUES.items():
            place = Path(folder) / split / name
            place.mkdir(parents=True, exist_ok=True)
            for i in range(number):
                hsv = np.full((_SIDE, _SIDE, 3), hue, np.uint8)
                hsv[..., 1:] = random.integers(100, 256, (_SIDE, _SIDE, 2))
                cv2.imwrite(str(place / f'{i}.png'), cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))
