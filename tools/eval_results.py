"""Scores a results file against COCO annotations, and draws the persons that it got worst."""

import argparse
import json
from pathlib import Path

from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('annotations', help='COCO keypoint annotations')
    parser.add_argument('results', help='COCO keypoint results, such as the results.json of infer.py')
    parser.add_argument('--config', help="a config with the dataset of other keypoints than COCO's 17")
    parser.add_argument('--images', help='the folder of the images, to draw the worst cases')
    parser.add_argument('--worst', type=int, default=20, metavar='N', help='how many of the worst cases are drawn')
    parser.add_argument('--out-dir', help='where the worst cases and metrics.json go (default: beside the results)')
    return parser.parse_args()


def main() -> None:
    """Evaluates, prints the ten figures and draws."""
    args = parse_args()
    from results_evaluation import ResultsEvaluation
    from rich.console import Console
    from rich.table import Table

    sigmas = None
    if args.config:
        from dyconv_pose.apis.estimator import keypoint_set_of_config

        sigmas = keypoint_set_of_config(args.config).sigmas
    evaluation = ResultsEvaluation(args.annotations, args.results, sigmas)
    if not evaluation.num_results:
        print(f'"{args.results}" holds no persons, so every figure is 0: did the detector find nobody (--boxes)?')
    table = Table('figure', 'value')
    for name, value in evaluation.figures.items():
        table.add_row(name, f'{value:.4f}' if value >= 0 else 'no such persons')
    Console().print(table)
    out_dir = Path(args.out_dir or Path(args.results).parent)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / 'metrics.json').write_text(json.dumps(evaluation.figures, indent=2) + '\n')
    if args.images:
        from worst_cases import draw_worst, persons_of, skeleton_of

        worst = persons_of(evaluation)[: args.worst]
        written = draw_worst(worst, skeleton_of(evaluation), args.images, out_dir / 'worst')
        print(f'the {len(written)} worst cases are in {out_dir / "worst"}')


if __name__ == '__main__':
    run(main)
