"""Makes a small set of images in class folders, to show in a minute that a classifier learns."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from dyconv_pose.cli import run

#: The classes, and their hues as OpenCV counts them: 0 to 179.
HUES = {'red': 0, 'yellow': 30, 'green': 60, 'cyan': 90, 'blue': 120, 'magenta': 150}

_SIDE = 72  # pixels


def make_class_folders(folder: str | Path, num_train: int = 32, num_val: int = 8, seed: int = 0) -> None:
    """Writes ``train/`` and ``val/``, each with a folder for every class; the images of a class have one hue.

    Saturation and brightness are noise, so that no single pixel gives the class away. Existing images are overwritten.

    Args:
        folder: Where the set is to be.
        num_train: Images of each class to train on.
        num_val: Images of each class to score.
        seed: Another seed gives other noise.

    Raises:
        ValueError: A number of images is less than 1.
    """
    if min(num_train, num_val) < 1:
        raise ValueError(f'Every class needs an image in each part, got num_train={num_train}, num_val={num_val}.')
    random = np.random.default_rng(seed)
    for split, number in (('train', num_train), ('val', num_val)):
        for name, hue in HUES.items():
            place = Path(folder) / split / name
            place.mkdir(parents=True, exist_ok=True)
            for i in range(number):
                hsv = np.full((_SIDE, _SIDE, 3), hue, np.uint8)
                hsv[..., 1:] = random.integers(100, 256, (_SIDE, _SIDE, 2))
                cv2.imwrite(str(place / f'{i}.png'), cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def main() -> None:
    """Makes the set and says where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/classes', type=Path, help='folder of the set')
    parser.add_argument('--num-train', default=32, type=int, help='images of each class to train on')
    parser.add_argument('--num-val', default=8, type=int, help='images of each class to score')
    parser.add_argument('--seed', default=0, type=int, help='another seed gives other images')
    args = parser.parse_args()
    make_class_folders(args.out, args.num_train, args.num_val, args.seed)
    print(f'Wrote {args.num_train} training and {args.num_val} validation images of {len(HUES)} classes to {args.out}')


if __name__ == '__main__':
    run(main)
