"""Looks inside the attention of a trained dynamic network: figures, and a JSON of what they show."""

import argparse
import json
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a dynamic network; its test set is what the network sees')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out-dir', default='outputs/attention', help='folder of figures and JSON')
    parser.add_argument('--json', metavar='FILE', help='the JSON (default: attention.json in the folder)')
    parser.add_argument('--prefix', default='', help="with which the figures' names begin")
    parser.add_argument('--metric', default='coco/AP', help='metric of the figure on replaced attention')
    parser.add_argument(
        '--replacements',
        nargs='*',
        choices=('mean', 'max', 'uniform', 'shuffle'),
        default=('mean', 'max', 'uniform', 'shuffle'),
        help='what to put in place of the attention (default: all)',
    )
    parser.add_argument(
        '--training', metavar='WORK_DIR', help='also draw the entropy over this training, which AttentionLogHook logged'
    )
    parser.add_argument('--gt-boxes', action='store_true', help="evaluate at the annotated boxes, not a detector's")
    parser.add_argument('--title', help='what the network is, in a few words')
    parser.add_argument('--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full')
    return parser.parse_args()


def main() -> None:
    """Inspects, writes and says where."""
    args = parse_args()
    import dyconv_pose.registration  # noqa: F401, first, since it makes MMPose importable

    # isort: split
    from analysis_tools.attention.figures import draw_figures, draw_logged_training
    from analysis_tools.attention.inspection import inspect
    from analysis_tools.environment import machine, versions

    from dyconv_pose.apis import load_config
    from dyconv_pose.apis.config import use_ground_truth_boxes

    config = load_config(args.config)
    if args.gt_boxes:
        use_ground_truth_boxes(config)
    metric = args.metric if args.replacements else None
    inspection = inspect(config, args.checkpoint, args.replacements, args.trust_checkpoint, metric)
    content = {
        'title': args.title or Path(args.config).stem,
        'config': Path(args.config).name,
        'checkpoint': Path(args.checkpoint).name,
        'metric': args.metric,
        **inspection.as_dict(),
        'versions': versions(),
        'machine': machine(),
    }
    path = Path(args.json) if args.json else Path(args.out_dir) / 'attention.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + '\n')
    files = draw_figures(inspection, args.out_dir, args.metric, args.prefix)
    if args.training:
        files.append(draw_logged_training(args.training, Path(args.out_dir) / f'{args.prefix}training.png'))
    for written in [path, *files]:
        print(written)


if __name__ == '__main__':
    run(main)
