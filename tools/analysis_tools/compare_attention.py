"""Takes inspections of networks that differ in their seed alone together: tables of changes, and a figure."""

import argparse
import json
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def main() -> None:
    """Compares, draws and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('records', nargs='+', help='JSON files of inspect_attention.py')
    parser.add_argument('--out', default='outputs/attention/seeds.png', help='the figure to write')
    args = parser.parse_args()
    from analysis_tools.attention.figures import draw_seeds
    from analysis_tools.attention.seeds import group_table, overview

    records = [json.loads(Path(path).read_text()) for path in args.records]
    for name, figure in overview(records):
        print(f'{name}: {figure}')
    print(group_table(records), draw_seeds(records, args.out), sep='\n')


if __name__ == '__main__':
    run(main)
