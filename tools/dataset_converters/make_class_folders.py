"""Makes a small set of pictures in class folders, to try classification on."""

import argparse
from pathlib import Path

from dyconv_pose.cli import run
from dyconv_pose.datasets.class_folders import HUES, make_class_folders


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/classes', type=Path, help='folder of the set')
    parser.add_argument('--num-train', default=32, type=int, help='pictures of each class to train on')
    parser.add_argument('--num-val', default=8, type=int, help='pictures of each class to score')
    parser.add_argument('--seed', default=0, type=int, help='another seed gives other pictures')
    return parser.parse_args()


def main() -> None:
    """Makes the set and says where it is."""
    args = parse_args()
    make_class_folders(args.out, args.num_train, args.num_val, args.seed)
    print(
        f'Wrote {args.num_train} training and {args.num_val} validation pictures of {len(HUES)} classes to {args.out}'
    )


if __name__ == '__main__':
    run(main)
