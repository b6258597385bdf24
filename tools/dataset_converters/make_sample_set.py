"""Makes a set of synthetic people in COCO's keypoint format."""

import argparse
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/synthetic', type=Path, help='folder of the set')
    parser.add_argument('--num-train', default=1500, type=int, help='images to train on')
    parser.add_argument('--num-val', default=300, type=int, help='images to evaluate on')
    parser.add_argument('--seed', default=0, type=int, help='another seed gives other people')
    parser.add_argument('--overwrite', action='store_true', help='replace a different set')
    return parser.parse_args()


def main() -> None:
    """Makes the set and says where it is."""
    args = parse_args()
    from dataset_converters.synthetic_people import make_sample_set
    from rich.progress import Progress

    numbers = args.num_train, args.num_val
    with Progress() as progress:
        task = progress.add_task('Drawing people', total=sum(numbers))
        written = make_sample_set(
            args.out, *numbers, args.seed, overwrite=args.overwrite, on_progress=lambda: progress.advance(task)
        )
    state = 'Wrote' if written else 'Already there:'
    print(f'{state} {args.num_train} training and {args.num_val} validation images in {args.out}')


if __name__ == '__main__':
    run(main)
