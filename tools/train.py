"""Trains a network from a config file."""

import argparse

from run_options import add_common_options, config_with_options

from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CHECKPOINT',
        help='continue from this checkpoint, or without a value from the last whole one in the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (float16 on a GPU, bfloat16 on a CPU)')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate by the batch size')
    add_common_options(parser)
    return parser.parse_args()


def main() -> None:
    """Applies the options to the config and trains."""
    args = parse_args()
    from dyconv_pose.apis import train

    # isort: split
    import crop_augmentations  # noqa: F401  registers them

    config = config_with_options(args)
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.auto_scale_lr:
        if not config.get('auto_scale_lr'):
            raise ValueError(
                '--auto-scale-lr needs the batch size that the learning rate is meant for, and the config does not say '
                'it: add auto_scale_lr=dict(base_batch_size=...).'
            )
        config.auto_scale_lr.enable = True
    train(config, resume=args.resume, amp=args.amp, trust=args.trust_checkpoint)


if __name__ == '__main__':
    run(main)
