"""Latency of a deployed dynamic network against that of its deployed static twin, in the same runtime and process.

The networks take turns, round by round, so that whatever else the machine does meets all of them; medians are reported.
Weights are random, with the normalisation's statistics set by one batch: latency does not depend on them.
"""

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import nn

from dyconv_pose.apis import load_estimator
from dyconv_pose.cli import run
from dyconv_pose.deploy.fold import PLANS, Plan, PoseNetwork, store_banks_in_half, to_deploy
from dyconv_pose.deploy.metadata import ExportedModel
from dyconv_pose.deploy.onnx_file import write_onnx
from dyconv_pose.deploy.runtime import open_session
from dyconv_pose.inference import PoseEstimator

FOLDER = 'configs/body_2d_keypoint/topdown_heatmap/coco'
STATIC = f'{FOLDER}/td-hm_mobilenetv2-bneck_8xb64-210e_coco-256x192.py'
DYNAMIC = f'{FOLDER}/td-hm_dy-mobilenetv2-bneck_8xb64-210e_coco-256x192.py'

#: What was tried for batches of one, beside the plans that the export uses.
TRIED = {
    **PLANS,
    'aggregated by a product': Plan('grouped', 'grouped', 'grouped'),
    'pointwise as products': Plan('product', 'grouped', 'grouped'),
    'depthwise mixed': Plan('grouped', 'grouped', 'mixed'),
    'depthwise mixed, pointwise as products': Plan('product', 'grouped', 'mixed'),
    'depthwise mixed, sum': Plan('grouped', 'grouped', 'mixed', 'sum'),
}


def settled(config: str) -> PoseEstimator:
    """The network of a config with random weights, whose features have the scale that training gives them."""
    torch.manual_seed(0)
    estimator = load_estimator(config, None, flip_test=False)
    model, (width, height) = estimator.stage.network.model, estimator.stage.spec.input_size_wh
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        model.head(model.extract_feat(torch.randn(4, 3, height, width)))
    for norm in norms:
        norm.eval()
    return estimator


def write(estimator: PoseEstimator, plan: str, batch: int | None, half: bool, path: Path) -> None:
    """Exports a network in one plan, unless the file is there."""
    if path.is_file():
        return
    network = PoseNetwork(to_deploy(estimator.stage.network.model, TRIED[plan]))
    if half:
        store_banks_in_half(network)
    write_onnx(network, ExportedModel(estimator.stage.spec, estimator.keypoint_set, batch), path)


def files(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The files to compare, by what they are called."""
    found = {}
    wanted = [('static', args.static, 'any_batch', args.batch == 1)]
    wanted += [(plan, args.dynamic, plan, plan != 'any_batch') for plan in args.plans]
    loaded = {}
    for name, config, plan, fixed in wanted:
        for half in (False, True) if args.half and name != 'static' else (False,):
            label = name + (', half bank' if half else '')
            path = folder / f'{Path(config).stem}_{label.replace(", ", "-").replace(" ", "-")}.onnx'
            if config not in loaded and not path.is_file():
                loaded[config] = settled(config)
            write(loaded.get(config), plan, 1 if fixed else None, half, path)
            found[label] = path
    return found


def measure(sessions: dict, batch: np.ndarray, rounds: int, runs: int) -> dict:
    """Median milliseconds of each session, its quartiles, and its ratio to the static twin in the same runtime."""
    times = {key: [] for key in sessions}
    for number in range(rounds + 1):
        for key, session in sessions.items():
            for _ in range(runs):
                start = time.perf_counter()
                session(batch)
                if number:  # the first round warms up
                    times[key].append(1000 * (time.perf_counter() - start))
    result = {}
    for (backend, name), values in times.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        twin = np.median(times[backend, 'static'])
        result.setdefault(backend, {})[name] = {
            'median_ms': round(float(middle), 3),
            'quartiles_ms': [round(float(low), 3), round(float(high), 3)],
            'over_static': round(float(middle / twin), 3),
        }
    return result


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--static', default=STATIC, help='config of the static twin')
    parser.add_argument('--dynamic', default=DYNAMIC)
    parser.add_argument('--plans', nargs='+', default=['any_batch', 'batch_1'], choices=TRIED)
    parser.add_argument('--half', action='store_true', help='also with the kernel banks stored in float16')
    parser.add_argument('--backends', nargs='+', default=['onnxruntime', 'openvino'])
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--runs', type=int, default=5, help='runs of a network in a round')
    parser.add_argument('--files', help='where exported files are kept and found again (default: nowhere)')
    parser.add_argument('--export-only', action='store_true', help='write the files and measure nothing')
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_num_threads(args.threads)
    with TemporaryDirectory() as temporary:
        folder = Path(args.files or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = files(args, folder)
        if args.export_only:
            return
        sessions = {
            (b, name): open_session(path, b, args.threads) for b in args.backends for name, path in paths.items()
        }
        width, height = load_estimator(args.static, None).stage.spec.input_size_wh
        batch = np.random.default_rng(0).standard_normal((args.batch, 3, height, width), dtype=np.float32)
        figures = measure(sessions, batch, args.rounds, args.runs)
    result = {
        'dynamic': Path(args.dynamic).stem,
        'static': Path(args.static).stem,
        'batch': args.batch,
        'threads': args.threads,
        'runs': args.rounds * args.runs,
        'versions': {name: version(name) for name in ('torch', 'onnx', *args.backends)},
        'machine': f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}',
        'latency': figures,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(text + '\n')


if __name__ == '__main__':
    run(main)
