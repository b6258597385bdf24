"""Times inference stage by stage, and against MMPose's own inferencer on the same weights, images and boxes.

MMPoseInferencer takes one image at a time, with all of its persons as one batch, whatever ``batch_size`` it is
given; this project batches persons across images. So the two are compared on images of one person and on images
of as many persons as a batch holds. Both run in one process, which keeps the memory that it frees, as tools/infer.py
does and MMPose's tools do not; without that both would be slower.

    python benchmarks/inference_pipeline.py --rounds 6 --out benchmarks/results/inference_pipeline.json
"""

import argparse
import json
import platform
import sys
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from dyconv_pose.apis import load_estimator  # first, since it makes MMPose importable
from dyconv_pose.cli import run
from dyconv_pose.engine.speed import keep_freed_memory
from dyconv_pose.inference import Image, PoseEstimator, read_image
from dyconv_pose.inference.topdown import average_with_flipped, decode, normalize, to_image

# isort: split
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
import mmpose
from inference_boxes import CocoBoxes
from mmpose.apis import MMPoseInferencer
from mmpose.structures import PoseDataSample

CONFIG = 'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_dy-mobilenetv2-bneck_8xb64-210e_coco-256x192.py'


#: Reads the time; with --clock cpu that of this process alone, for a machine that does other work too.
clock = time.perf_counter


class GivenBoxes:
    """Stands in for MMPoseInferencer's detector, which is its only way to be given boxes."""

    def __init__(self, boxes: dict[str, np.ndarray]) -> None:
        self.boxes = boxes

    def __call__(self, path: str, **_: object) -> dict:
        """Detections as MMDetection's inferencer returns them."""
        boxes = torch.from_numpy(self.boxes[path])
        sample = PoseDataSample()
        sample.pred_instances = InstanceData(
            bboxes=boxes, scores=torch.ones(len(boxes)), labels=torch.zeros(len(boxes), dtype=torch.long)
        )
        return {'predictions': [sample]}


def workload(images: str, annotations: str, count: int, persons: int) -> dict[str, np.ndarray]:
    """Images and their boxes (persons, 4) xyxy: the annotated ones, and shifted copies up to that number."""
    source, rng, boxes = CocoBoxes(annotations), np.random.default_rng(0), {}
    for path in sorted(Path(images).iterdir()):
        found = source.find(Image(read_image(path), path.name)).xyxy
        if len(found) and len(boxes) < count:
            chosen = found[np.arange(persons) % len(found)].copy()
            # Distinct boxes: the inferencer suppresses those that overlap, and is told not to.
            boxes[str(path)] = chosen + rng.uniform(0, 3, (persons, 1)).astype(np.float32)
    if len(boxes) < count:
        raise ValueError(f'{count} images with persons are needed, "{images}" has {len(boxes)}: see --count.')
    return boxes


def time_stages(estimator: PoseEstimator, boxes: dict[str, np.ndarray], batch: int) -> dict[str, float]:
    """Seconds per person of each stage, at full batches."""
    model, seconds = estimator.model, {}

    def timed(name: str, function: object, *args: object) -> object:
        start = clock()
        result = function(*args)
        seconds[name] = seconds.get(name, 0.0) + clock() - start
        return result

    samples = []
    for path, xyxy in boxes.items():
        image = timed('read', read_image, path)
        samples += timed('crop', model.prepare, image, xyxy)[0]
    total = len(samples) // batch * batch
    for start in range(0, total, batch):
        chosen = samples[start : start + batch]
        inputs = timed('normalise', lambda part: normalize(np.stack([crop for crop, _ in part]), model.spec), chosen)
        mirrored = timed('mirror', lambda one: np.ascontiguousarray(one[..., ::-1]), inputs)
        first, second = timed('network', lambda a, b: (model.network(a), model.network(b)), inputs, mirrored)

        def keypoints(first: np.ndarray, second: np.ndarray, regions: np.ndarray) -> np.ndarray:
            heatmaps = average_with_flipped(first, second, estimator.keypoint_set.flip_indices, True)
            return to_image(decode(heatmaps)[0], heatmaps.shape[:1:-1], regions)

        timed('decode', keypoints, first, second, np.stack([region for _, region in chosen]))
    return {name: value / (len(samples) if name in ('read', 'crop') else total) for name, value in seconds.items()}


def settle(model: torch.nn.Module, size_wh: tuple[int, int]) -> None:
    """Gives a network of random weights heatmaps that depend on its input, so that results can be compared."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(torch.randn(8, 3, *size_wh[::-1]))
    model.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        # Channels that hardly vary would otherwise enlarge the last bits a thousandfold.
        norm.running_var.clamp_(min=float(norm.running_var.median()))


def order(boxes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The indices by which boxes (N, 4) become the wanted ones; the inferencer's suppression shuffles them."""
    return np.abs(wanted[:, None] - boxes[None]).sum(axis=2).argmin(axis=1)


def compare(
    estimator: PoseEstimator, inferencer: MMPoseInferencer, boxes: dict[str, np.ndarray], rounds: int
) -> dict[str, float]:
    """Images per second of both, taken in turns, the best round of each, and how far their results are apart."""
    inferencer.inferencer.detector, inferencer.inferencer.det_cat_ids = GivenBoxes(boxes), (0,)
    paths, best = list(boxes), {'dyconv_pose': np.inf, 'mmpose': np.inf}

    def ours() -> list[np.ndarray]:
        return [poses.keypoints for poses in estimator.predict_many(paths, boxes.values())]

    def theirs() -> list[np.ndarray]:
        options = dict(batch_size=estimator.batch_size, nms_thr=1.1, bbox_thr=0, return_datasamples=True)
        found = [result['predictions'][0].pred_instances for result in inferencer(paths, **options)]
        return [one.keypoints[order(one.bboxes, xyxy)] for one, xyxy in zip(found, boxes.values(), strict=True)]

    for number in range(rounds):
        for name, function in (('dyconv_pose', ours), ('mmpose', theirs)):
            start = clock()
            found = function()
            best[name] = min(best[name], clock() - start)
            if name == 'dyconv_pose':
                mine = found
        if number == 0:
            gaps = np.concatenate([np.abs(a - b).max(axis=2).ravel() for a, b in zip(mine, found, strict=True)])
    return {
        'persons_per_image': len(next(iter(boxes.values()))),
        'images_per_second': round(len(paths) / best['dyconv_pose'], 3),
        'mmpose_images_per_second': round(len(paths) / best['mmpose'], 3),
        'times_as_fast': round(best['mmpose'] / best['dyconv_pose'], 3),
        'largest_difference_px': round(float(gaps.max()), 5),
        'keypoints_within_0.05_px': round(float((gaps <= 0.05).mean()), 6),
    }


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=CONFIG)
    parser.add_argument('--checkpoint', help='without one the weights are random: as fast, but no skeletons')
    parser.add_argument('--images', default='data/synthetic/val2017')
    parser.add_argument('--annotations', default='data/synthetic/annotations/person_keypoints_val2017.json')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--count', type=int, default=16)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help="PyTorch's and OpenCV's")
    parser.add_argument('--clock', choices=['wall', 'cpu'], default='wall', help='cpu: seconds of this process alone')
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    if args.clock == 'cpu':
        global clock
        clock = time.process_time
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    torch.manual_seed(0)
    MMLogger.get_current_instance().setLevel('ERROR')
    estimator = load_estimator(args.config, args.checkpoint, batch_size=args.batch_size, flip_test=True)
    if args.checkpoint is None:
        settle(estimator.model.network.module, estimator.model.spec.input_size_wh)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        init_default_scope('mmpose')
        inferencer = MMPoseInferencer(args.config, device='cpu', det_model='whole_image')
    inferencer.inferencer.model.load_state_dict(estimator.model.network.module.state_dict())

    loads = {
        persons: workload(args.images, args.annotations, max(args.count // persons, 2), persons)
        for persons in (1, args.batch_size)
    }
    stages = time_stages(estimator, workload(args.images, args.annotations, args.batch_size, 1), args.batch_size)
    around = sum(seconds for name, seconds in stages.items() if name != 'network')
    result = {
        'config': Path(args.config).name,
        'batch_size': args.batch_size,
        'threads': args.threads,
        'clock': args.clock,
        'flip_test': True,
        'versions': {'torch': torch.__version__, 'mmpose': mmpose.__version__, 'opencv': cv2.__version__},
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
        'milliseconds_per_person': {name: round(1000 * seconds, 3) for name, seconds in stages.items()},
        'around_the_network_over_network': round(around / stages['network'], 4),
        'against_mmpose': [compare(estimator, inferencer, boxes, args.rounds) for boxes in loads.values()],
    }
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(text + '\n')


if __name__ == '__main__':
    run(main)
