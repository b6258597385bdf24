"""Draws the training curves of one or more work directories."""

import argparse

from dyconv_pose.analysis.curves import plot_training
from dyconv_pose.cli import run


def main() -> None:
    """Reads the command line, draws and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', help='work directories of training runs')
    parser.add_argument('--out', default='training.png', help='the picture to write (default: training.png)')
    parser.add_argument('--metrics', nargs='+', default=['coco/AP', 'coco/AR'], help='metrics to draw')
    args = parser.parse_args()
    print(plot_training(args.work_dirs, args.out, args.metrics))


if __name__ == '__main__':
    run(main)
