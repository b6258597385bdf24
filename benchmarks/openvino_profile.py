"""Where the time of a deployed network goes in OpenVINO, by kind of operator, beside that of its static twin."""

import argparse
import json
import os
import platform
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino
from deploy_latency import NETWORKS, files, for_one
from mmengine.logging import MMLogger

from dyconv_pose.cli import run
from dyconv_pose.deploy.runtime import banks_as_inputs, read_exported


def profiler(path: Path) -> openvino.InferRequest:
    """A file on one thread, ready to run with timers."""
    core = openvino.Core()
    model = core.read_model(str(path))
    banks = banks_as_inputs(model)
    options = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1, 'PERF_COUNT': True}
    request = core.compile_model(model, 'CPU', options).create_infer_request()
    for number, bank in enumerate(banks, 1):
        request.set_input_tensor(number, bank)
    width, height = read_exported(path).spec.input_size_wh
    batch = np.random.default_rng(0).standard_normal((1, 3, height, width), dtype=np.float32)
    request.set_input_tensor(0, openvino.Tensor(batch))
    request.infer()
    return request


def milliseconds(requests: dict[str, openvino.InferRequest], rounds: int) -> dict[str, dict[str, float]]:
    """Mean milliseconds of each kind of operator in each network; the networks take turns."""
    totals = {name: defaultdict(float) for name in requests}
    for _ in range(rounds):
        for name, request in requests.items():
            request.infer()
            for node in request.profiling_info:
                totals[name][node.node_type] += 1000 * node.real_time.total_seconds() / rounds
    return {name: {kind: round(value, 3) for kind, value in kinds.items() if value} for name, kinds in totals.items()}


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--network', default='MobileNetV2 x1.0, type B', choices=NETWORKS, metavar='NETWORK')
    parser.add_argument('--weights', nargs='+', default=['float32', 'int8'])
    parser.add_argument('--files', required=True, help='where exported files are kept and found again')
    parser.add_argument('--rounds', type=int, default=60)
    parser.add_argument('--out', metavar='FILE.json')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    paths = files(args.network, ['batch_1'], args.weights, Path(args.files))
    requests = {}
    for (form, storage), path in paths.items():
        name = 'static' if form == 'static' else f'dynamic, {storage}'
        requests[name] = profiler(for_one(path) if form == 'static' else path)
    record = {
        'network': args.network,
        'versions': {'openvino': version('openvino')},
        'machine': f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}',
        'milliseconds': milliseconds(requests, args.rounds),
    }
    text = json.dumps(record, indent=1)
    print(text)
    if args.out:
        Path(args.out).write_text(text + '\n')


if __name__ == '__main__':
    run(main)
