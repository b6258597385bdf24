"""What dynamic convolution costs on a GPU: a backbone beside its static twin, and each of its layers in every form.

Inference and training steps in float32 (TF32 in convolutions and matrix products alike) and in float16 by autocast, in
both memory formats. All that is compared takes turns in one process, and each call waits for the GPU.
"""

import argparse
from collections import defaultdict
from itertools import product

import torch
from interleaved import environment, write
from layer_cost import CONFIG, FORMATS, layers_of, time_layer
from mmengine.logging import MMLogger
from network_cost import VARIANTS, compare
from torch import nn

from dyconv_pose.cli import run
from dyconv_pose.layers.convert import kind_of

FORMS = ('rule', 'grouped', 'branches', 'CondConv2d')


def main() -> None:
    """Measures, prints and writes JSON; what is measured so far is written at each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--network', default='mobilenetv2-bneck', help="as in the configs' names; its backbone is timed"
    )
    parser.add_argument('--batches', nargs='+', type=int, default=[1, 16, 64])
    parser.add_argument('--rounds', type=int, default=4)
    parser.add_argument('--device', default='cuda', choices=['cuda', 'cpu'])
    parser.add_argument('--input-size', type=int, nargs=2, default=(256, 192), metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_float32_matmul_precision('high')
    result = {'networks': [], 'layers': []}
    shared = {**vars(args), 'deployed': False, 'backbone': True, 'in_a_row': 3, 'keep_memory': False, 'work': False}
    shared |= {'memory': False, 'parts': ['infer', 'step'], 'variants': list(VARIANTS), 'forms': FORMS}
    for amp, batch in product((False, True), args.batches):
        result['networks'].append(compare(argparse.Namespace(**shared, amp=amp), args.network, batch, 1))
        print(result['networks'][-1], flush=True)
        if args.out:
            write({**environment('timm'), **result}, args.out)
    layers = layers_of(CONFIG, tuple(args.input_size))
    for amp, batch, memory_format in product((False, True), args.batches, FORMATS):
        totals = defaultdict(lambda: defaultdict(float))
        options = argparse.Namespace(**shared, amp=amp, batch=batch, memory_format=memory_format)
        for (arguments, size), count in layers.items():
            times = time_layer(arguments, size, options)
            kind = kind_of(nn.Conv2d(*arguments, device='meta'))
            for part, name in product(('forward', 'step'), ('static', *FORMS)):
                totals[f'{part}, {kind}'][name] += count * times[part][name]['median_ms']
        sums = {key: {name: round(value, 3) for name, value in total.items()} for key, total in totals.items()}
        result['layers'].append(dict(amp=amp, batch=batch, memory_format=memory_format, totals_ms=sums))
        print(result['layers'][-1], flush=True)
        if args.out:
            write({**environment('timm'), **result}, args.out)


if __name__ == '__main__':
    run(main)
