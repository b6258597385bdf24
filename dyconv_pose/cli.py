"""What the tools share: common options, and a user's mistake as one sentence and a non-zero exit."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

#: Set to anything, this environment variable shows the whole traceback of a user's mistake.
TRACEBACK_VARIABLE = 'DYCONV_POSE_TRACEBACK'


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs a tool and exits with its status: 0 or what it returns, 2 for a user's mistake, 130 when interrupted."""
    try:
        sys.exit(main() or 0)
    except (ValueError, FileNotFoundError, FloatingPointError, ImportError) as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and testing share, named as in MMPose."""
    parser.add_argument('--work-dir', help='where logs and checkpoints go (default: work_dirs/<config>)')
    parser.add_argument('--gt-boxes', action='store_true', help="evaluate at the annotated boxes, not a detector's")
    parser.add_argument('--show-dir', help='draw predictions of the evaluation into this folder')
    parser.add_argument('--show', action='store_true', help='show predictions of the evaluation in a window')
    parser.add_argument('--interval', type=int, default=1, help='draw every n-th sample')
    parser.add_argument('--wait-time', type=float, default=1, help='seconds that a window stays')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by the job launcher, not by hand'
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='unpickle the checkpoints that are named in full, which can run code in them',
    )


def config_with_options(args: argparse.Namespace) -> 'Config':  # noqa: F821  MMEngine's
    """The config that the command line names, with the common options in it.

    Raises:
        FileNotFoundError: The config does not exist.
        ValueError: It cannot be read, or an option has no effect.
    """
    from dyconv_pose.apis.config import load_config, use_ground_truth_boxes
    from dyconv_pose.inference.images import require_display

    config = load_config(args.config, args.cfg_options)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    if args.gt_boxes:
        use_ground_truth_boxes(config)
    if args.show:
        require_display()
    if args.show or args.show_dir:
        hooks = config.setdefault('default_hooks', {})
        hooks['visualization'] = dict(
            type='DrawPredictionsHook',
            enable=True,
            interval=args.interval,
            kpt_thr=(hooks.get('visualization') or {}).get('kpt_thr', 0.3),
            show=args.show,
            wait_time=args.wait_time,
            out_dir=args.show_dir,
        )
    return config
