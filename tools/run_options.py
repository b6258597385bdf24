"""The options that training and testing share, named as in MMPose, and what they need."""

import argparse
import os
import sys


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and testing share, named as in MMPose."""
    add, switch = parser.add_argument, dict(action='store_true')
    add('--work-dir', help='where logs and checkpoints go (default: work_dirs/<config>)')
    add('--gt-boxes', **switch, help="evaluate at the annotated boxes, not a detector's")
    add('--show-dir', help='draw predictions of the evaluation into this folder')
    add('--show', **switch, help='show predictions of the evaluation in a window')
    add('--interval', type=int, default=1, help='draw every n-th sample')
    add('--wait-time', type=float, default=1, help='seconds that a window stays')
    add('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    add('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    add('--local_rank', '--local-rank', type=int, default=0, help='set by the job launcher, not by hand')
    add('--trust-checkpoint', **switch, help='unpickle the checkpoints in full, which can run code in them')


def config_with_options(args: argparse.Namespace) -> 'Config':  # noqa: F821  MMEngine's
    """The config that the command line names, with the common options in it; errors as of ``load_config_with``."""
    from config_options import load_config_with

    from dyconv_pose.apis.config import use_ground_truth_boxes

    config = load_config_with(args.config, args.cfg_options)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.work_dir
    if args.gt_boxes:
        use_ground_truth_boxes(config)
    if args.show:
        require_display()
    if args.show or args.show_dir:
        hooks = config.setdefault('default_hooks', {})
        shown = {name: getattr(args, name) for name in ('interval', 'show', 'wait_time')}
        threshold = (hooks.get('visualization') or {}).get('kpt_thr', 0.3)
        drawing = dict(type='DrawPredictionsHook', enable=True, kpt_thr=threshold, out_dir=args.show_dir)
        hooks['visualization'] = drawing | shown
    return config


def require_display() -> None:
    """Raises a ValueError where a window cannot be shown."""
    if sys.platform == 'linux' and not {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ):
        raise ValueError('--show needs a display, and there is none here: have the images written to a folder instead.')
