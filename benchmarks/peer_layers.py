"""Single layers of the shapes that other implementations are measured at, against them and against the static layer.

Each is timed alone without gradients; the forms take turns in one process.
"""

import argparse
from functools import partial

import torch
from competitors import TimmCondConv2d
from interleaved import environment, measure, summary, write
from layer_cost import FORMATS, call
from rich.console import Console
from rich.table import Table
from torch import nn

from dyconv_pose.cli import run
from dyconv_pose.engine.speed import keep_freed_memory
from dyconv_pose.layers import DyConv2d

#: Arguments of nn.Conv2d, to groups, and height and width of the input.
LAYERS = {
    '1x1, 96 to 576': ((96, 576, 1, 1, 0, 1, 1), (32, 24)),
    'depthwise 3x3, 576': ((576, 576, 3, 1, 1, 1, 576), (16, 12)),
    'dense 3x3, 128': ((128, 128, 3, 1, 1, 1, 1), (32, 24)),
    '1x1, 320 to 1280': ((320, 1280, 1, 1, 0, 1, 1), (8, 6)),
}


def time_layer(name: str, batch: int, memory_format: str, rounds: int) -> dict:
    """Milliseconds of one layer by what runs it."""
    torch.manual_seed(0)
    arguments, size = LAYERS[name]
    kernel_size, *more = ((value, value) for value in arguments[2:6])
    whole = *arguments[:2], kernel_size, *more, arguments[6]
    x = torch.randn(batch, arguments[0], *size).to(memory_format=FORMATS[memory_format])
    static = nn.Conv2d(*whole, bias=False).to(memory_format=FORMATS[memory_format])
    dynamic = DyConv2d(*whole, bias=False)
    functions = {
        'static': partial(call, static, x, None, None),
        'dynamic': partial(call, dynamic, x, None, None),
        'grouped': partial(call, dynamic, x, None, 'grouped'),
        'CondConv2d of timm': partial(call, TimmCondConv2d(*whole), x, None, None),
    }
    return {key: summary(values) for key, values in measure(functions, rounds, in_a_row=5).items()}


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 16])
    parser.add_argument('--threads', nargs='+', type=int, default=[1, 2])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    keep_freed_memory()
    rows = []
    for threads in args.threads:
        torch.set_num_threads(threads)
        for batch in args.batches:
            for memory_format in FORMATS:
                for name in LAYERS:
                    times = time_layer(name, batch, memory_format, args.rounds)
                    settings = dict(layer=name, batch=batch, threads=threads, memory_format=memory_format)
                    rows.append({**settings, 'times': times})
    columns = list(rows[0]['times'])
    table = Table('layer', 'batch', 'threads', 'format', *columns)
    for row in rows:
        settings = [str(value) for key, value in row.items() if key != 'times']
        table.add_row(*settings, *(f'{row["times"][name]["median_ms"]:.2f}' for name in columns))
    Console(width=120).print(table)
    if args.out:
        write({**environment('timm'), 'rounds': args.rounds, 'rows': rows}, args.out)


if __name__ == '__main__':
    run(main)
