"""What one dynamic layer costs beside its static twin: every layer of a network, in every form that it can run in.

The layers of a network are looked up with their input sizes; each is timed alone, forward without gradients and as a
training step (forward and backward), in the memory format asked for. The forms take turns in one process. The sums over
the network's layers say what a form would cost it.
"""

import argparse
from collections import Counter
from contextlib import nullcontext
from functools import partial
from math import inf
from unittest.mock import patch

import torch
from competitors import TimmCondConv2d
from forced_form import forced_form
from interleaved import environment, measure, summary, write
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table
from torch import nn

from dyconv_pose.apis.config import build_model
from dyconv_pose.cli import run
from dyconv_pose.engine.speed import keep_freed_memory
from dyconv_pose.layers import DyConv2d
from dyconv_pose.layers.convert import kind_of

CONFIG = 'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_dy-mobilenetv2-bneck_8xb64-210e_coco-256x192.py'
#: Products of matrices in MKL's one call for all samples, and none in oneDNN's.
MKL = 'by_channel, MKL'
DEFAULT_FORMS = ('rule', 'by_sample', 'by_channel', MKL, 'grouped', 'branches', 'CondConv2d')
FORMATS = {'channels_last': torch.channels_last, 'contiguous': torch.contiguous_format}
#: What autocast computes in.
AMP = {'cpu': torch.bfloat16, 'cuda': torch.float16}


def layers_of(config: str, input_size_hw: tuple[int, int]) -> Counter:
    """Counts the dynamic layers of a network by (arguments of nn.Conv2d, input height and width)."""
    config = Config.fromfile(config)
    model = build_model(config).eval()
    found = Counter()

    def note(layer: DyConv2d, args: tuple, output: torch.Tensor) -> None:
        arguments = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
        found[(*arguments, layer.dilation, layer.groups), tuple(args[0].shape[2:])] += 1

    for layer in model.modules():
        if isinstance(layer, DyConv2d):
            layer.register_forward_hook(note)
    with torch.no_grad():
        model.head(model.backbone(torch.zeros(1, 3, *input_size_hw)))
    return found


def call(layer: nn.Module, x: torch.Tensor, grad: torch.Tensor | None, form: str | None, amp: bool = False) -> None:
    """Runs a layer forward, by autocast if asked for, and backward where there is an output gradient."""
    autocast = torch.autocast(x.device.type, AMP[x.device.type]) if amp else nullcontext()
    products = patch('dyconv_pose.layers.cpu.products.OWN_CALL', inf) if form == MKL else nullcontext()
    with products, forced_form('by_channel' if form == MKL else form), torch.set_grad_enabled(grad is not None):
        with autocast:
            y = layer(x)
        if grad is not None:
            y.backward(grad)
            layer.zero_grad()
            x.grad = None


def time_layer(arguments: tuple, size: tuple[int, int], args: argparse.Namespace) -> dict:
    """Milliseconds of one layer by form, for the forward pass and the training step."""
    torch.manual_seed(0)
    memory_format = FORMATS[args.memory_format]
    static = nn.Conv2d(*arguments, bias=False, device=args.device).to(memory_format=memory_format)
    dynamic = DyConv2d(*arguments, bias=False, device=args.device)
    layers = {'static': (static, None)}
    for form in args.forms:
        if form == 'CondConv2d':
            layers[form] = (TimmCondConv2d(*arguments).to(args.device), None)
        else:
            layers[form] = (dynamic, None if form == 'rule' else form)
    x = torch.randn(args.batch, arguments[0], *size, device=args.device).to(memory_format=memory_format)
    grad = torch.randn_like(static(x)).contiguous(memory_format=memory_format)
    grad = grad.to(AMP[x.device.type]) if args.amp else grad
    x_train = x.clone().requires_grad_()
    result = {}
    for part, inputs in (('forward', (x, None)), ('step', (x_train, grad))):
        functions = {name: partial(call, layer, *inputs, form, args.amp) for name, (layer, form) in layers.items()}
        result[part] = {name: summary(times) for name, times in measure(functions, args.rounds, in_a_row=3).items()}
    return result


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default=CONFIG, help='config of a dynamic network')
    parser.add_argument('--input-size', type=int, nargs=2, default=(256, 192), metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--forms', nargs='+', default=DEFAULT_FORMS)
    parser.add_argument('--memory-format', choices=FORMATS, default='channels_last')
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', choices=AMP, default='cpu')
    parser.add_argument('--amp', action='store_true', help='by autocast: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    names = ['static', *args.forms]
    rows, totals = [], {}
    for (arguments, size), count in layers_of(args.config, tuple(args.input_size)).items():
        kind = kind_of(nn.Conv2d(*arguments, device='meta'))
        times = time_layer(arguments, size, args)
        rows.append({'kind': kind, 'arguments': arguments, 'input_hw': size, 'count': count, **times})
        for part in ('forward', 'step'):
            for name in names:
                for key in (kind, 'all'):
                    total = totals.setdefault(f'{part}, {key}', dict.fromkeys(names, 0.0))
                    total[name] += count * times[part][name]['median_ms']
    place = f'{args.threads} threads' if args.device == 'cpu' else args.device
    table = Table(*['ms', *names], title=f'{args.memory_format}, batch {args.batch}, {place}')
    for row in rows:
        c_in, c_out, kernel, stride, *_, groups = row['arguments']
        for part in ('forward', 'step'):
            layer = f'{c_in}-{c_out} {kernel[0]}x{kernel[1]}/{stride[0]} g{groups} {row["input_hw"]}'
            label = f'{row["count"]} x {part} {layer}'
            table.add_row(label, *[f'{row[part][name]["median_ms"]:.2f}' for name in names])
    for key, total in totals.items():
        table.add_row(f'[b]{key}', *[f'[b]{total[name]:.1f} ({total[name] / total["static"]:.2f})' for name in names])
    Console(width=160).print(table)
    if args.out:
        shown = {key: {name: round(value, 2) for name, value in total.items()} for key, total in totals.items()}
        settings = dict(config=args.config, batch=args.batch, memory_format=args.memory_format, amp=args.amp)
        write({**settings, **environment('timm'), 'totals_ms': shown, 'layers': rows}, args.out)


if __name__ == '__main__':
    run(main)
