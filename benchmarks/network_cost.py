"""What a dynamic network costs beside its static twin in PyTorch: inference, training step and peak memory.

The static twin stands in both memory formats, and ratios are to the quicker one. The dynamic network runs by the rule
of ``dyconv_pose.layers.forms`` and in the forms that are common elsewhere: one grouped convolution with B * G
groups, and K static convolutions whose outputs are mixed. All take turns in one process. Weights are random, features
have the scale that training gives them.
"""

import argparse
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from forced_form import forced_form
from interleaved import environment, measure, settle, summary, write
from layer_cost import AMP
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.profiler import ProfilerActivity, profile

from dyconv_pose.apis.config import build_model
from dyconv_pose.cli import run
from dyconv_pose.deploy import to_deploy
from dyconv_pose.deploy.network import PoseNetwork
from dyconv_pose.engine.speed import keep_freed_memory

FOLDER = 'configs/body_2d_keypoint/topdown_heatmap/coco'
CONFIG = f'{FOLDER}/td-hm_{{}}_8xb64-210e_coco-256x192.py'
FORMATS = {'channels_last': torch.channels_last, 'contiguous': torch.contiguous_format}

#: What is compared: whether dynamic, the memory format, and the form that is forced.
VARIANTS = {
    'static, channels_last': (False, 'channels_last', None),
    'static, contiguous': (False, 'contiguous', None),
    'dynamic, channels_last': (True, 'channels_last', None),
    'dynamic, contiguous': (True, 'contiguous', None),
    'dynamic, grouped': (True, 'contiguous', 'grouped'),
    'dynamic, branches': (True, 'channels_last', 'branches'),
}


class Variant:
    """A network in one memory format and form, with its input and an optimiser.

    Args:
        name: A key of ``VARIANTS``.
        network: What stands in a config's name, such as ``mobilenetv2-bneck``.
        batch: B.
        size: Height and width of the input.
        amp: Whether it runs by autocast.
        deployed: Whether inference is that of the network that ``to_deploy`` folds.
        backbone: Whether the network is the backbone alone.
        device: Where it runs.
    """

    def __init__(
        self,
        name: str,
        network: str,
        batch: int,
        size: tuple[int, int],
        amp: bool,
        deployed: bool,
        backbone: bool,
        device: str,
    ) -> None:
        dynamic, memory_format, self.form = VARIANTS[name]
        config = Config.fromfile(CONFIG.format(f'dy-{network}' if dynamic else network))
        config.model.backbone.init_cfg = None
        torch.manual_seed(0)
        self.model = build_model(config).to(device, memory_format=FORMATS[memory_format])
        if backbone:
            self.model.head = torch.nn.Identity()
        self.x, self.amp = torch.randn(batch, 3, *size).to(device, memory_format=FORMATS[memory_format]), amp
        settle(PoseNetwork(self.model), torch.randn(4, 3, *size).to(device))
        self.deployed = to_deploy(self.model) if deployed else self.model.eval()
        self.deployed.to(memory_format=FORMATS[memory_format])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-6)

    def heatmaps(self, model: nn.Module) -> torch.Tensor:
        """Runs the network, or its folded copy, once."""
        kind = self.x.device.type
        autocast = torch.autocast(kind, AMP[kind]) if self.amp else nullcontext()
        with forced_form(self.form), autocast:
            y = model.head(model.backbone(self.x))
            return y if isinstance(y, torch.Tensor) else y[-1]

    def infer(self) -> None:
        """One batch in evaluation mode, without gradients."""
        self.deployed.eval()
        with torch.inference_mode():
            self.heatmaps(self.deployed)

    def step(self) -> None:
        """One training step."""
        self.model.train()
        self.optimizer.zero_grad()
        self.heatmaps(self.model).float().square().mean().backward()
        self.optimizer.step()


#: Kinds of work, and the operators of PyTorch that do it; what is in none is counted as "other".
WORK = {
    'convolutions': (
        'aten::mkldnn_convolution',
        'aten::convolution_backward',
        'aten::_slow_conv2d_forward',
        'aten::_convolution',  # transposed ones
    ),
    'products for each sample': ('aten::bmm', 'aten::baddbmm_', 'mkldnn::_linear_pointwise'),
    'mixing kernels, attention': ('aten::mm', 'aten::addmm', 'aten::addmm_', 'aten::_softmax'),
    'pooling': ('aten::sum', 'aten::mean'),
    'copies': ('aten::copy_', 'aten::cat', 'aten::fill_', 'aten::im2col', 'aten::col2im'),
    'sums of gradients': ('aten::add_', 'aten::add'),
    'normalisation': ('aten::native_batch_norm', 'aten::native_batch_norm_backward'),
    'activations': ('aten::clamp', 'aten::clamp_min_', 'aten::hardtanh_backward', 'aten::threshold_backward'),
}


def work_ms(function: Callable[[], object], repeats: int = 3) -> dict[str, float]:
    """The milliseconds that one call of a function spends in each kind of work, by PyTorch's profiler.

    Args:
        function: What is run; it has been called before.
        repeats: How many calls are averaged.
    """
    for calls in (1, repeats):  # the profiler's own start is slow
        with profile(activities=[ProfilerActivity.CPU]) as record:
            for _ in range(calls):
                function()
    spent = dict.fromkeys([*WORK, 'other'], 0.0)
    kinds = {operator: kind for kind, operators in WORK.items() for operator in operators}
    for event in record.key_averages():
        spent[kinds.get(event.key, 'other')] += event.self_cpu_time_total / 1000 / repeats
    return {kind: round(value, 2) for kind, value in spent.items()}


def peak_mib(function: Callable[[], object], resident: nn.Module, state_copies: int) -> float:
    """The most memory that tensors take at once while a function runs, MiB, by PyTorch's record of allocations.

    Args:
        function: What is run, for the second time or later.
        resident: The network, whose parameters are there before.
        state_copies: How many times the optimiser's state is as large as the parameters.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        function()
    memory = (event for event in record.profiler.kineto_results.events() if event.name() == '[memory]')
    held = most = 0
    for event in sorted(memory, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    parameters = sum(parameter.numel() * parameter.element_size() for parameter in resident.parameters())
    return (most + (1 + state_copies) * parameters) / 2**20


def compare(args: argparse.Namespace, network: str, batch: int, threads: int) -> dict:
    """Figures of all variants of one network, at one batch size and number of threads."""
    torch.set_num_threads(threads)
    variants = {
        name: Variant(name, network, batch, tuple(args.input_size), args.amp, args.deployed, args.backbone, args.device)
        for name in args.variants
    }
    result = {
        'network': f'{network}, backbone' if args.backbone else network,
        'batch': batch,
        'threads': threads,
        'device': args.device,
        'rounds': args.rounds,
        'amp': args.amp,
        'deployed': args.deployed,
        'in_a_row': args.in_a_row,
        'keep_memory': args.keep_memory,
    }
    for part in args.parts:
        times = measure(
            {name: getattr(variant, part) for name, variant in variants.items()}, args.rounds, in_a_row=args.in_a_row
        )
        result[part] = {name: summary(values) for name, values in times.items()}
        static = min(value['median_ms'] for name, value in result[part].items() if name.startswith('static'))
        for value in result[part].values():
            value['over_static'] = round(value['median_ms'] / static, 3)
        if args.work:
            result[f'{part}_work_ms'] = {name: work_ms(getattr(variant, part)) for name, variant in variants.items()}
    if args.memory:
        result['step_peak_mib'] = {
            name: round(peak_mib(variant.step, variant.model, 2)) for name, variant in variants.items()
        }
    return result


def show(result: dict) -> None:
    """Prints the figures of one comparison."""
    table = Table(title='{network}, batch {batch}, {threads} threads, {device}'.format(**result))
    parts = [part for part in ('infer', 'step') if part in result]
    for column in ('', *(f'{part}: ms' for part in parts), *(f'{part}: ratio' for part in parts), 'peak MiB'):
        table.add_column(column, justify='left' if not column else 'right')
    for name in result[parts[0]]:
        figures = [result[part][name] for part in parts]
        row = [f'{figure["median_ms"]:.1f}' for figure in figures] + [f'{f["over_static"]:.2f}' for f in figures]
        table.add_row(name, *row, str(result.get('step_peak_mib', {}).get(name, '')))
    Console(width=120).print(table)
    for part in parts:
        for name, spent in result.get(f'{part}_work_ms', {}).items():
            print(f'{part}, {name}:', ', '.join(f'{kind} {value:.1f} ms' for kind, value in spent.items()))


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--networks', nargs='+', default=['mobilenetv2-bneck'], help="as in the configs' names")
    parser.add_argument('--batches', nargs='+', type=int, default=[16])
    parser.add_argument('--threads', nargs='+', type=int, default=[2])
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument('--parts', nargs='+', choices=['infer', 'step'], default=['infer', 'step'])
    parser.add_argument('--input-size', type=int, nargs=2, default=(256, 192), metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--amp', action='store_true', help='by autocast: bfloat16 on a CPU, float16 on a GPU')
    parser.add_argument('--device', choices=AMP, default='cpu')
    parser.add_argument('--deployed', action='store_true', help='infer with the networks that to_deploy folds')
    parser.add_argument('--backbone', action='store_true', help='without the head')
    parser.add_argument('--memory', action='store_true', help='also the peak memory of a training step')
    parser.add_argument('--work', action='store_true', help='also where the time goes, by kind of operator')
    parser.add_argument('--keep-memory', action='store_true', help='the process keeps what it frees (KeepMemoryHook)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--in-a-row', type=int, default=1, help='calls in a turn; of several the first is not counted')
    parser.add_argument('--out', help='JSON file')
    parser.add_argument('--append', action='store_true', help='keep the results that the file has')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    if args.keep_memory and not keep_freed_memory():
        parser.error('--keep-memory needs glibc')
    results = json.loads(Path(args.out).read_text())['results'] if args.append else []
    for network in args.networks:
        for batch in args.batches:
            for threads in args.threads:
                results.append(compare(args, network, batch, threads))
                show(results[-1])
                if args.out:
                    write({**environment(), 'results': results}, args.out)


if __name__ == '__main__':
    run(main)
