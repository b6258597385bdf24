"""Command-line options that the training and testing tools share, named as in MMPose."""

import argparse
import os

from mmengine.config import Config, DictAction

from .config import use_ground_truth_boxes


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options to a parser."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go (default: work_dirs/<config>)')
    parser.add_argument('--gt-boxes', action='store_true', help="evaluate at the annotated boxes, not a detector's")
    parser.add_argument('--show-dir', help='draw predictions of the evaluation into this folder')
    parser.add_argument('--show', action='store_true', help='show predictions of the evaluation in a window')
    parser.add_argument('--interval', type=int, default=1, help='draw every n-th sample')
    parser.add_argument('--wait-time', type=float, default=1, help='seconds that a window stays')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override settings of the config'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by the job launcher, not by hand'
    )


def apply_common_options(config: Config, args: argparse.Namespace) -> None:
    """Writes the options into a config.

    Raises:
        ValueError: Predictions are to be shown and the config has no visualisation hook.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    if args.gt_boxes:
        use_ground_truth_boxes(config)
    if args.show or args.show_dir:
        hook = config.get('default_hooks', {}).get('visualization')
        if hook is None:
            raise ValueError(
                '--show and --show-dir need the hook default_hooks.visualization, which the config does not have: '
                "add visualization=dict(type='PoseVisualizationHook')."
            )
        hook.update(
            enable=True, show=args.show, out_dir=args.show_dir, interval=args.interval, wait_time=args.wait_time
        )
