"""Latency of deployed dynamic networks against that of their deployed static twins, in the same runtime and process.

The networks take turns, round by round, so that whatever else the machine does meets all of them; medians are reported.
Weights are random, with the normalisation's statistics set by one batch: latency does not depend on them.
"""

import argparse
import json
import os
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from interleaved import settle
from mmengine.config import Config
from mmengine.logging import MMLogger

from dyconv_pose.apis import load_config, load_estimator
from dyconv_pose.cli import run
from dyconv_pose.deploy.export import write_onnx
from dyconv_pose.deploy.fold import PURPOSES, STORAGES, store_weights, to_deploy
from dyconv_pose.deploy.runtime import BACKENDS, ExportedModel, open_session, read_exported
from dyconv_pose.inference import PoseEstimator

FOLDER = Path('configs/body_2d_keypoint/topdown_heatmap')
ON_COCO, ON_PHOTOGRAPHS = 'coco/td-hm_{}_8xb64-210e_coco-256x192', 'photographs/td-hm_{}_1xb32-5k_photographs-256x192'

#: Networks by name: the part of the config's name, and the config that the head is taken from where it is another's.
NETWORKS = {
    'MobileNetV2 x1.0, type A': ('mobilenetv2', None),
    'MobileNetV2 x1.0, type B': ('mobilenetv2-bneck', None),
    'MobileNetV2 x0.5, type A': ('mobilenetv2-x0.5', None),
    'MobileNetV2 x0.5, type B': ('mobilenetv2-x0.5-bneck', None),
    'MobileNetV3-Small, type A': ('mobilenetv3-small', None),
    'MobileNetV3-Small, type B': ('mobilenetv3-small-bneck', None),
    'ResNet-18, type A': ('res18', None),
    'ResNet-18, type B': ('res18', 'mobilenetv2-bneck'),
    'MobileNetV2 x1.0 with the pyramid': ('mobilenetv2-fpn', None),
    'MobileNetV2 x1.0, type B, pointwise layers alone': ('mobilenetv2-bneck', None),
    'MobileNetV2 x1.0 with the pyramid, pointwise layers alone': ('mobilenetv2-fpn', None),
}

#: Seconds in which the threads of the network before come to rest: those of ONNX Runtime go on waiting actively.
_REST = 0.03


def config_of(network: str, is_dynamic: bool) -> Config:
    """The config of a network or of its static twin."""
    names = [name and (f'dy-{name}' if is_dynamic else name) for name in NETWORKS[network]]
    paths = [name and FOLDER / (ON_PHOTOGRAPHS if 'fpn' in name else ON_COCO).format(name) for name in names]
    body, head = (path and load_config(f'{path}.py') for path in paths)
    if head:
        channels = body.model.head.in_channels
        body.model.head = head.model.head
        body.model.head.in_channels = channels
    if is_dynamic and network.endswith('pointwise layers alone'):
        for part in (body.model.backbone, body.model.head):
            part.dynamic_kinds = ['pointwise']
    return body


def settled(config: Config) -> PoseEstimator:
    """The network of a config with random weights, whose features have the scale that training gives them."""
    torch.manual_seed(0)
    estimator = load_estimator(config, None, flip_test=False)
    model, (width, height) = estimator.model.network.module, estimator.model.spec.input_size_wh
    settle(model, torch.randn(4, 3, height, width))
    return estimator


def files(network: str, plans: list[str], weights: list[str], folder: Path) -> dict[tuple[str, str], Path]:
    """Exports what is not in the folder yet; the files by form and storage of weights."""
    wanted = [('static', 'float32')] + [(plan, storage) for plan in plans for storage in weights]
    # Runtimes widen constants, but for kernels that are mixed as a sum.
    wanted = [(form, storage) for form, storage in wanted if storage == 'float32' or form == 'batch_1']
    start, estimators, found = network.replace(', ', '_').replace(' ', '-'), {}, {}
    for form, storage in wanted:
        path = folder / f'{start}_{form.replace(" ", "-")}_{storage}.onnx'
        if not path.is_file():
            is_dynamic, batch = form != 'static', None if form in ('static', 'any_batch') else 1
            if is_dynamic not in estimators:
                estimators[is_dynamic] = settled(config_of(network, is_dynamic))
            estimator = estimators[is_dynamic]
            deployed = to_deploy(estimator.model.network.module, 'any_batch' if form == 'static' else form)
            model = ExportedModel(estimator.model.spec, estimator.keypoint_set, batch, storage=storage)
            write_onnx(store_weights(deployed, storage), model, path)
        found[form, storage] = path
    return found


def for_one(path: Path) -> Path:
    """The same file for batches of one, which runtimes plan ahead for."""
    fixed = path.with_name(f'{path.stem}_one.onnx')
    if not fixed.is_file():
        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        del model.graph.value_info[:]
        onnx.save(model, fixed)
    return fixed


def measure(networks: dict, batch: np.ndarray, rounds: int) -> list[dict]:
    """Medians and quartiles of each network's milliseconds, and its ratio to the static twin in the same runtime."""
    times = {key: [] for key in networks}
    for _ in range(rounds):
        for key, network in networks.items():
            time.sleep(_REST)
            network(batch)  # warms up, as if it had been the only one
            start = time.perf_counter()
            network(batch)
            times[key].append(1000 * (time.perf_counter() - start))
    rows = []
    for (backend, form, storage), values in times.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        twin = np.median(times[backend, 'static', 'float32'])
        rows.append(
            {
                'backend': backend,
                'form': form,
                'weights': storage,
                'median_ms': round(float(middle), 3),
                'quartiles_ms': [round(float(low), 3), round(float(high), 3)],
                'over_static': round(float(middle / twin), 3),
            }
        )
    return rows


def measure_all(paths: dict[tuple[str, str], Path], args: argparse.Namespace) -> list[dict]:
    """Measures the files of a network in all runtimes, at all batch sizes and numbers of threads that were asked."""
    rows = []
    for threads in args.threads:
        for count in args.batches:
            networks = {}
            for backend in args.backends:
                for (form, storage), path in paths.items():
                    path = for_one(path) if count == 1 and form == 'static' else path
                    session, at_once = open_session(path, backend, threads), read_exported(path).batch
                    networks[backend, form, storage] = partial(session.run_in_parts, size=at_once)
            width, height = read_exported(path).spec.input_size_wh
            batch = np.random.default_rng(0).standard_normal((count, 3, height, width), dtype=np.float32)
            for row in measure(networks, batch, max(args.rounds // count, 4)):
                rows.append({'batch': count, 'threads': threads, **row})
    return rows


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--networks', nargs='+', default=list(NETWORKS), choices=NETWORKS, metavar='NETWORK')
    parser.add_argument('--plans', nargs='+', default=['any_batch', 'batch_1'], choices=PURPOSES)
    parser.add_argument('--weights', nargs='+', default=['float32'], choices=STORAGES)
    parser.add_argument('--backends', nargs='+', default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 8])
    parser.add_argument('--threads', nargs='+', type=int, default=[1, 2])
    parser.add_argument('--rounds', type=int, default=20, help='at batch 1; in proportion fewer at others, at least 4')
    parser.add_argument('--files', help='where exported files are kept and found again (default: nowhere)')
    parser.add_argument('--export-only', action='store_true', help='write the files and measure nothing')
    parser.add_argument(
        '--out', metavar='FILE.json', help='where the figures go; networks that it has are measured anew'
    )
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    with TemporaryDirectory() as temporary:
        folder = Path(args.files or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for network in args.networks:
            paths = files(network, args.plans, args.weights, folder)
            if not args.export_only:
                report(network, measure_all(paths, args), args)


def report(network: str, rows: list[dict], args: argparse.Namespace) -> None:
    """Prints a network's figures and puts them into the JSON file."""
    for row in rows:
        print(network, *row.values(), flush=True)
    if not args.out:
        return
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    record = json.loads(out.read_text()) if out.is_file() else {}
    record[network] = {
        'rounds_at_batch_1': args.rounds,
        'versions': {name: version(name) for name in ('torch', 'onnx', *args.backends)},
        'machine': f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}',
        'rows': rows,
    }
    out.write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    run(main)
