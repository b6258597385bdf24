"""Scores a checkpoint: COCO AP and AR on the test set of a config."""

import argparse
from pathlib import Path

from run_options import add_common_options, config_with_options

from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', metavar='FILE', help='write the metrics to this .json, .yaml or .pkl file')
    parser.add_argument('--dump', metavar='FILE', help='write the predictions to this .pkl file')
    add_common_options(parser)
    return parser.parse_args()


def main() -> None:
    """Applies the options to the config, tests and writes the metrics."""
    args = parse_args()
    import mmengine
    from mmengine.dist import is_main_process

    from dyconv_pose.apis import test  # first: it makes MMPose importable

    config = config_with_options(args)
    if args.out and Path(args.out).suffix not in ('.json', '.yaml', '.yml', '.pkl', '.pickle'):
        raise ValueError(f'--out must name a .json, .yaml or .pkl file, got "{args.out}".')
    if args.dump:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--dump must name a .pkl file, got "{args.dump}".')
        evaluators = config.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        config.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    metrics = test(config, args.checkpoint, trust=args.trust_checkpoint)
    if args.out and is_main_process():
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        mmengine.dump(metrics, args.out, **({'indent': 2} if args.out.endswith('.json') else {}))


if __name__ == '__main__':
    run(main)
