"""Exports a trained network to ONNX, and compares the file with torch before leaving it."""

import argparse
from pathlib import Path

from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, metavar='MODEL.onnx', help='the file to write')
    parser.add_argument('--batch', type=int, help='1: one person at a time, quickest in OpenVINO (default: any number)')
    parser.add_argument('--opset', type=int, default=18, help="version of ONNX's operators (default: %(default)s)")
    parser.add_argument(
        '--weights',
        choices=['float32', 'float16', 'int8'],
        default='float32',
        help='how weights are stored (default: %(default)s)',
    )
    parser.add_argument(
        '--with-attention', action='store_true', help='also give the attention weights of dynamic layers, as outputs'
    )
    parser.add_argument('--images', nargs='+', default=[], metavar='IMAGE', help='check the file on these too')
    parser.add_argument(
        '--collapse',
        nargs='*',
        metavar='DATA',
        help='make dynamic layers static, with their mean kernels over training persons: those of the config, or of '
        'COCO annotations and the folder of their images; prints AP on val before and after',
    )
    parser.add_argument(
        '--max-loss',
        type=float,
        metavar='AP',
        help='collapse only as many layers, those whose kernels vary least, as cost that much AP (0 to 1) on the '
        'training persons (default: all)',
    )
    parser.add_argument(
        '--kinds',
        nargs='+',
        choices=['pointwise', 'depthwise', 'dense'],
        help='of which kinds layers are collapsed (default: all)',
    )
    parser.add_argument('--persons', type=int, help='training persons to collapse by (default: 500)')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    args = parser.parse_args()
    if len(args.collapse or ()) not in (0, 2):
        parser.error(
            f'--collapse takes COCO annotations and the folder of their images, or nothing, got {args.collapse}'
        )
    for name in ('max_loss', 'kinds', 'persons'):
        if args.collapse is None and getattr(args, name) is not None:
            parser.error(f'--{name.replace("_", "-")} is of --collapse, which is not given')
    if args.max_loss is not None and not 0 <= args.max_loss <= 1:
        parser.error(f'--max-loss is AP that may be lost, between 0 and 1, got {args.max_loss}')
    args.persons = 500 if args.persons is None else args.persons
    if args.persons < 1:
        parser.error(f'--persons must be at least 1, got {args.persons}')
    if args.with_attention and args.collapse is not None and args.max_loss is None and args.kinds is None:
        parser.error('--with-attention is of dynamic layers, and --collapse leaves none: leave one of them out')
    return args


def main() -> None:
    """Collapses where that is asked for, exports, and says how far the file is from torch."""
    args = parse_args()
    from dyconv_pose.apis.estimator import load_model  # torch and MMPose, once the arguments are parsed
    from dyconv_pose.deploy.export import check_arguments, export_onnx

    model, source = load_model(args.config, args.checkpoint, trust=args.trust_checkpoint), Path(args.config).stem
    if args.collapse is not None:
        check_arguments(model, Path(args.out), args.batch, args.opset)  # before minutes of scoring
        from collapsing import collapse

        model = collapse(model, args.config, args.collapse, args.persons, args.max_loss, args.kinds)
        source = f'{source}, collapsed'
    options = args.batch, args.opset, args.weights, args.images, source, args.with_attention
    report = export_onnx(model, args.out, *options)
    for name, error in report.errors.items():
        print(f'{name:20} largest relative difference from torch {error:.2g}')
    if report.storage_error is not None:
        share = f'{report.storage_error:.1%} of the largest value'
        print(f'weights in {args.weights} change the heatmaps of the images by at most {share}')
    size = Path(args.out).stat().st_size / 1e6
    print(f'{args.out}, {size:.1f} MB, opset {args.opset}, batch size {args.batch or "free"}')


if __name__ == '__main__':
    run(main)
