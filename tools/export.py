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
    parser.add_argument('--images', nargs='+', default=[], metavar='IMAGE', help='check the file on these too')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    return parser.parse_args()


def main() -> None:
    """Exports and says how far the file is from torch."""
    args = parse_args()
    from dyconv_pose.apis.estimator import load_model  # torch and MMPose, once the arguments are parsed
    from dyconv_pose.deploy.export import export_onnx

    model = load_model(args.config, args.checkpoint, trust=args.trust_checkpoint)
    source = Path(args.config).stem
    report = export_onnx(model, args.out, args.batch, args.opset, args.weights, args.images, source=source)
    for name, error in report.errors.items():
        print(f'{name:20} largest relative difference from torch {error:.2g}')
    if report.storage_error is not None:
        print(f'weights in {args.weights} change heatmaps by {report.storage_error:.2g} of their largest value')
    size = Path(args.out).stat().st_size / 1e6
    print(f'{args.out}, {size:.1f} MB, opset {args.opset}, batch size {args.batch or "free"}')


if __name__ == '__main__':
    run(main)
