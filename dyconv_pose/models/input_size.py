"""Which input sizes a network takes: those that its stride divides, where feature maps fit on the way up again."""

import copy
import math
from itertools import product

import torch
from torch import nn

from dyconv_pose.layers import DynamicConv2d


@torch.no_grad()
def check_input_size(model: nn.Module) -> None:
    """Raises a ValueError for a pose estimator with heatmaps whose input size its stride does not divide."""
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    if not hasattr(decoder, 'heatmap_size'):
        return
    width, height = decoder.input_size
    stride = _stride(model.backbone, width, height)
    if width % stride == height % stride == 0:
        return
    multiples = [{size // stride * stride, -(-size // stride) * stride} - {0} for size in (width, height)]
    near = sorted(product(*multiples), key=lambda size: math.hypot(size[0] - width, size[1] - height))[:2]
    raise ValueError(
        f'The input size must be a multiple of the stride of the network, {stride}, in both directions, got {width}x'
        f'{height} (width x height): take {" or ".join(f"{w}x{h}" for w, h in near)}.'
    )


def _stride(backbone: nn.Module, width: int, height: int) -> int:
    """How many rows of the input one of the coarsest feature map stands for, found with one image of zeros."""
    width, height = (-(-size // 64) * 64 for size in (width, height))  # sizes that all take
    backbone, rows = copy.deepcopy(backbone), [height]
    backbone.eval()

    def note(_module: nn.Module, _inputs: tuple, y: torch.Tensor) -> None:
        if y.dim() == 4 and y.shape[2] * y.shape[3] > 1:  # what is pooled to one place is no feature map
            rows.append(y.shape[2])

    for module in backbone.modules():
        if isinstance(module, (nn.Conv2d, DynamicConv2d)):
            module.register_forward_hook(note)
    try:
        backbone(torch.zeros(1, 3, height, width, device=next(backbone.parameters()).device))
    except (AssertionError, RuntimeError):  # a network of fixed size, such as some transformers
        return 1
    return height // min(rows)
