"""The weight gradient of wide depthwise convolutions on a CPU.

oneDNN, which computes PyTorch's convolutions on a CPU, has a quick routine for the weight gradient of a depthwise
convolution, but only for kernels of up to three columns. Wider ones fall to a general routine that takes longer than
all the rest of the layer (``static`` in the tables of ``benchmarks/layer_cost.py``). The columns of a kernel don't know
of each other, so here a wide one is taken as several of three, each over the input moved aside.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Geometry

#: Columns of the widest kernel that oneDNN has its quick routine for.
_QUICK_WIDTH = 3


def is_wide(x: Tensor, groups: int, geometry: Geometry) -> bool:
    """Whether :func:`weight_gradient` is the quicker way for x (B, C, H, W)."""
    return (
        x.device.type == 'cpu'
        and geometry.kernel_shape[3] > _QUICK_WIDTH
        and geometry.groups == geometry.kernel_shape[0]
        and groups == x.shape[1]
        and tuple(geometry.dilation) == (1, 1)
    )


def weight_gradient(grad: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    """The weight gradient of one sample's depthwise convolution with dilation 1, in strips of columns.

    Args:
        grad: Gradient of the output, (1, C, H_out, W_out).
        x: (1, C, H, W).
        geometry: The convolution's; of ``kernel_shape``, only the kernel's size is looked at.

    Returns:
        (C, 1, k, k).
    """
    channels, (rows, columns), (pad_y, pad_x) = x.shape[1], geometry.kernel_shape[2:], geometry.padding
    x = F.pad(x, (pad_x, pad_x, pad_y, pad_y + 1)).contiguous(memory_format=torch.channels_last)
    height, width = x.shape[2] - 1, x.shape[3]
    # Rows of the gradient as long as those of the output of a strip. What comes round at the right edge of a strip that
    # is moved meets a gradient of zero; the row too many at the bottom is where the last row's comes from.
    grad = F.pad(grad, (0, (width - _QUICK_WIDTH) // geometry.stride[1] + 1 - grad.shape[3], 0, 0))
    gradient, empty = grad.new_empty(channels, 1, rows, columns), grad.new_empty(channels, 1, rows, _QUICK_WIDTH)
    for left in (*range(0, columns - _QUICK_WIDTH, _QUICK_WIDTH), columns - _QUICK_WIDTH):
        # Moved along memory, not copied. The last strip overlaps the one before.
        moved = x.as_strided((1, channels, height, width), x.stride(), x.storage_offset() + left * x.stride(3))
        gradient[..., left : left + _QUICK_WIDTH] = torch.ops.aten.convolution_backward(
            grad, moved, empty, None, geometry.stride, [0, 0], [1, 1], False, [0, 0], channels, [False, True, False]
        )[1]
    return gradient
