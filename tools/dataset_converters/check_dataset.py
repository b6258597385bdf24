"""Checks the annotations, images and detector boxes of a config; exits with 1 where a training would stop."""

import argparse
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name

SPLITS = ('train', 'val', 'test')


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=SPLITS, help='which parts (default: all)')
    parser.add_argument('--images', action='store_true', help='decode every image too')
    parser.add_argument(
        '--gt-boxes', action='store_true', help="leave a detector's boxes out, as train.py and test.py do"
    )
    parser.add_argument('--json', metavar='FILE', help='write the findings there')
    return parser.parse_args()


def main() -> int:
    """Checks, prints, and says by the exit status whether there are errors."""
    args = parse_args()
    from dataset_converters.dataset_report import check_config, print_report, write_json
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from dyconv_pose.apis.config import load_config, use_ground_truth_boxes

    config = load_config(args.config)
    if args.gt_boxes:
        use_ground_truth_boxes(config)
    columns = TextColumn('{task.description}'), BarColumn(), TextColumn('{task.completed} images'), TimeElapsedColumn()
    with Progress(*columns, transient=True) as progress:
        tasks = {'': progress.add_task('Reading annotations', total=None)}

        def advance(folder: str, done: int) -> None:
            if folder not in tasks:
                tasks[folder] = progress.add_task(f'Decoding {folder}', total=None)
            progress.update(tasks[folder], completed=done)

        findings = check_config(config, args.splits, args.images, advance)
    print_report(findings)
    if args.json:
        write_json(findings, args.json)
    return int(any(found.severity == 'error' for found in findings))


if __name__ == '__main__':
    run(main)
