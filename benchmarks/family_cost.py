"""What each operator of the family costs beside the static network: training, inference, ONNX Runtime and OpenVINO.

The networks are those of ``configs/experiments/family_cpu.py``: MobileNetV2 x1.0 with MoveNet's pyramid at 256x192, in
channels_last, on one thread. All take turns in one process. Weights are random, with the normalisation's statistics set
by one batch; times do not depend on them.
"""

import argparse
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from deploy_latency import settled
from interleaved import environment, measure, summary, write
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table
from torch import nn

from dyconv_pose.cli import run
from dyconv_pose.deploy import to_deploy
from dyconv_pose.deploy.export import write_onnx
from dyconv_pose.deploy.runtime import ExportedModel, open_session
from dyconv_pose.engine.speed import keep_freed_memory

EXPERIMENT = Path('configs/experiments/family_cpu.py')

#: Persons in a batch of training and of batched inference.
BATCH = 16

#: Exported files: runtime, and batch size of the graph, ``None`` for a free one; of two the quicker one counts.
FILES = (('onnxruntime', None), ('onnxruntime', 1), ('openvino', 1))


def training_step(network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    """One training step."""
    network.train()
    optimizer.zero_grad()
    network(x).square().mean().backward()
    optimizer.step()


def inference(network: nn.Module, x: torch.Tensor) -> None:
    """One batch without gradients."""
    with torch.inference_mode():
        network(x)


def works(network: str, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed of a network, by the name of the figure."""
    from experiments.description import load_experiment

    estimator = settled(load_experiment(EXPERIMENT).run(network, 0).config())
    module, spec = estimator.model.network.module.to(memory_format=torch.channels_last), estimator.model.spec
    width, height = spec.input_size_wh
    many, one = (torch.randn(b, 3, height, width).to(memory_format=torch.channels_last) for b in (BATCH, 1))
    for batch, purpose in ((None, 'any_batch'), (1, 'batch_1')):
        model = ExportedModel(spec, estimator.keypoint_set, batch)
        write_onnx(to_deploy(module, purpose), model, folder / f'{network}_{batch}.onnx')
    deployed = to_deploy(module).eval()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-9)
    found = {
        'step': partial(training_step, module, optimizer, many),
        'infer_16': partial(inference, deployed, many),
        'infer_1': partial(inference, deployed, one),
    }
    for backend, batch in FILES:
        session = open_session(folder / f'{network}_{batch}.onnx', backend, 1)
        found[f'{backend}, batch {batch}'] = partial(session.run, one.numpy())
    return found


def main() -> None:
    """Measures, prints and writes JSON."""
    from experiments.description import load_experiment

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=7, help='turns of each; at batch 1 twice as many')
    parser.add_argument('--out', metavar='FILE.json')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_num_threads(1)
    keep_freed_memory()
    names = load_experiment(EXPERIMENT).networks
    with TemporaryDirectory() as folder:
        prepared = {name: works(name, Path(folder)) for name in names}
        figures = {name: {} for name in names}
        for work in prepared['static']:
            functions = {name: prepared[name][work] for name in names}
            batched = work in ('step', 'infer_16')
            times = measure(functions, args.rounds * (1 if batched else 2), in_a_row=1 if batched else 3)
            for name, values in times.items():
                figure, key = summary(values), work.partition(',')[0]
                figures[name][key] = min(figure, figures[name].get(key, figure), key=itemgetter('median_ms'))
    for row in figures.values():
        for work, figure in row.items():
            figure['over_static'] = round(figure['median_ms'] / figures['static'][work]['median_ms'], 3)
    table = Table('', *(f'{work}: ms, ratio' for work in figures['static']))
    for name, row in figures.items():
        table.add_row(name, *(f'{one["median_ms"]:.1f}  {one["over_static"]:.2f}' for one in row.values()))
    Console(width=140).print(table)
    if args.out:
        write(
            {**environment('onnxruntime', 'openvino'), 'rounds': args.rounds, 'threads': 1, 'networks': figures},
            args.out,
        )


if __name__ == '__main__':
    run(main)
