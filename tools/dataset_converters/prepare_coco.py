"""Checks that COCO 2017 keypoints are there and whole, before hours are spent; exits with 1 where something is not."""

import argparse
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', default='data/coco', help='folder of the dataset (default: data/coco)')
    parser.add_argument('--archives', metavar='DIR', help='folder of the downloaded .zip files, to check their sums')
    return parser.parse_args()


def main() -> int:
    """Checks, prints, and says by the exit status whether there are errors."""
    args = parse_args()
    from dataset_converters.coco_release import check_release
    from dataset_converters.dataset_report import print_report

    findings = check_release(args.root, args.archives, say=lambda line: print(f'ok  {line}', flush=True))
    print_report(findings)
    return int(any(found.severity == 'error' for found in findings))


if __name__ == '__main__':
    run(main)
