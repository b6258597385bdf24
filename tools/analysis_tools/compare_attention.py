"""Takes inspections of networks that differ in their seed alone together: what they have in common, and a figure."""

import argparse
import json
from pathlib import Path

from dyconv_pose.analysis.attention.several import check_alike, draw_several, findings_of_several
from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('records', nargs='+', help='JSON files of tools/inspect_attention.py, two or more')
    parser.add_argument('--out', default='outputs/attention/several.png', help='the figure to write')
    return parser.parse_args()


def main() -> None:
    """Compares, draws and says where."""
    args = parse_args()
    records = [json.loads(Path(path).read_text()) for path in args.records]
    check_alike(records)
    for sentence in findings_of_several(records):
        print(sentence)
    print(draw_several(records, args.out))


if __name__ == '__main__':
    run(main)
