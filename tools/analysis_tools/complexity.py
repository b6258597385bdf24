"""Counts parameters and multiply-adds of the networks of configs, or of the paper's tables."""

import argparse
import json
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help="config files, or MMPose's own as mmpose::...")
    parser.add_argument('--layers', action='store_true', help='print every layer')
    parser.add_argument('--paper', action='store_true', help="hold the networks of the paper's tables against it")
    parser.add_argument(
        '--input-size', nargs=2, type=int, metavar=('H', 'W'), help="of the network; by default the config's"
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write everything counted')
    args = parser.parse_args()
    if not args.configs and not args.paper:
        parser.error('give at least one CONFIG, or --paper')
    return args


def main() -> None:
    """Prints the tables and writes the JSON file."""
    args, results = parse_args(), {}
    import dyconv_pose.registration  # noqa: F401, first, since it makes MMPose importable

    # isort: split
    from analysis_tools.costs.comparison import compare_coco, compare_imagenet
    from analysis_tools.costs.estimators import count_config, input_size_of, read_config
    from analysis_tools.costs.tables import layer_table, paper_table, summary_table
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a file has no width of its own
    for path in args.configs:
        config = read_config(path)
        size = args.input_size or input_size_of(config)
        cost = count_config(config, size)
        console.print(summary_table(Path(path).stem, cost, size))
        if args.layers:
            console.print(layer_table(cost))
        results[path] = dict(input_size_hw=list(size), **cost.to_dict())
    if args.paper:
        tables = {'ImageNet, 224x224': compare_imagenet(), 'COCO keypoints, 256x192': compare_coco(CONFIGS)}
        for title, comparisons in tables.items():
            console.print(paper_table(title, comparisons))
        results['paper'] = {title: [x.to_dict() for x in comparisons] for title, comparisons in tables.items()}
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    run(main)
