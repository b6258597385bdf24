"""COCO AP and keypoints of exported files against those of PyTorch, at the annotated boxes.

The PyTorch path has no part in what the files do beyond being exported: images, crops and decoding are run anew.
"""

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from mmengine.logging import MMLogger

from dyconv_pose.apis import load_estimator
from dyconv_pose.cli import run
from dyconv_pose.deploy import load_exported
from dyconv_pose.deploy.export import export_onnx
from dyconv_pose.deploy.fold import STORAGES, DeployedConv2d, store_bank, to_deploy
from dyconv_pose.deploy.network import TorchNetwork
from dyconv_pose.deploy.runtime import BACKENDS
from dyconv_pose.inference import HeatmapModel, Image, PoseEstimator, read_image
from dyconv_pose.inference.results import coco_results

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))  # for the scoring of results
from inference_boxes import CocoBoxes
from inference_files import write_results
from results_evaluation import ResultsEvaluation

SAMPLE_CONFIG = (
    'configs/body_2d_keypoint/topdown_heatmap/synthetic/'
    'td-hm_dy-mobilenetv3-small-s16-bneck-narrow_demo_synthetic-128x96.py'
)
CHECKPOINT = 'checkpoints/td-hm_dy-mobilenetv3-small-s16-bneck-narrow_synthetic-128x96.pth'


@torch.no_grad()
def with_stored_banks(model: torch.nn.Module, storage: str) -> TorchNetwork:
    """The deployed network in torch with kernel banks in fewer bits, and nothing else."""
    deployed = to_deploy(model)
    for layer in deployed.modules():
        if isinstance(layer, DeployedConv2d):
            store_bank(layer, storage)
    return TorchNetwork(deployed)


def evaluate(estimator: PoseEstimator, annotations: Path, images: Path) -> tuple[float, np.ndarray]:
    """AP at the annotated boxes, and all keypoints (persons, K, 2)."""
    boxes = CocoBoxes(str(annotations))
    inputs = []
    for entry in sorted(json.loads(annotations.read_text())['images'], key=lambda entry: entry['id']):
        image = Image(read_image(images / entry['file_name']), entry['file_name'], entry['id'])
        inputs.append((image, boxes.find(image), None))
    rows, keypoints = [], []
    for image, poses, _ in estimator.stream(iter(inputs)):
        rows += coco_results(poses, image.image_id)
        keypoints.append(poses.keypoints)
    with TemporaryDirectory() as folder:
        write_results(Path(folder) / 'results.json', rows)
        return ResultsEvaluation(annotations, Path(folder) / 'results.json').figures['AP'], np.concatenate(keypoints)


def estimators(estimator: PoseEstimator, folder: Path) -> dict[tuple[str, str], tuple[PoseEstimator, int]]:
    """What to compare, by where it runs and what is stored in how many bits, with the size of the file."""
    found, model = {}, estimator.model
    for storage in STORAGES:
        for batch in (None, 1):
            path = folder / f'{storage}_{batch}.onnx'
            size = export_onnx(model, path, batch=batch, storage=storage).size
            for backend in BACKENDS:
                name = f'{backend}, {"batches of one" if batch else "any batch"}'
                found[name, f'all in {storage}'] = load_exported(path, backend, threads=1), size
        if storage != 'float32':
            network = with_stored_banks(model.network.module, storage)
            other = PoseEstimator(HeatmapModel(network, model.spec, model.keypoint_set), estimator.detector)
            found['torch', f'kernel banks in {storage}'] = other, 0
    return found


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=SAMPLE_CONFIG)
    parser.add_argument('--checkpoint', default=CHECKPOINT)
    parser.add_argument('--name', default='the sample set', help='what the images are')
    parser.add_argument('--annotations', default='data/synthetic/annotations/person_keypoints_val2017.json', type=Path)
    parser.add_argument('--images', default='data/synthetic/val2017', type=Path)
    parser.add_argument('--out', metavar='FILE.json', help='where the figures go, beside those of other images')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    estimator = load_estimator(args.config, args.checkpoint)
    expected_ap, expected = evaluate(estimator, args.annotations, args.images)
    print(f'torch: AP {expected_ap:.4f}, {len(expected)} persons', flush=True)
    rows = []
    with TemporaryDirectory() as folder:
        for (where, bits), (other, size) in estimators(estimator, Path(folder)).items():
            ap, keypoints = evaluate(other, args.annotations, args.images)
            moved = np.abs(keypoints - expected).max(axis=2)
            rows.append(
                {
                    'where': where,
                    'weights': bits,
                    'megabytes': round(size / 1e6, 2),
                    'ap': ap,
                    'ap_minus_torch': ap - expected_ap,
                    'largest_difference_px': float(moved.max()),
                    'moved_by_more_than_0.1_px': float((moved > 0.1).mean()),
                }
            )
            print(*rows[-1].values(), flush=True)
    if args.out:
        out = Path(args.out)
        record = json.loads(out.read_text()) if out.is_file() else {}
        record[args.name] = {
            'checkpoint': Path(args.checkpoint).name,
            'ap_of_torch': expected_ap,
            'persons': len(expected),
            'versions': {name: version(name) for name in ('torch', 'onnx', 'opencv-python', *BACKENDS)},
            'machine': f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}',
            'rows': rows,
        }
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    run(main)
