"""Forms of per-sample convolution in PyTorch's own operators: they differentiate, compile and run on any device.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size;
P positions H_out * W_out, N elements C_in / G * k * k of an output channel's kernel.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from .cpu import products
from .geometry import Geometry, is_channels_last


def without_autocast(device_type: str) -> AbstractContextManager:
    """Keeps autocast from rounding: in bfloat16, attention weights at a large temperature are all alike.

    Where there is no autocast nothing is entered, so that an exported graph has no trace of it.
    """
    return torch.autocast(device_type, enabled=False) if torch.is_autocast_enabled(device_type) else nullcontext()


def single(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A batch of one, or none, as an ordinary convolution; arguments as of ``convolve_per_sample``."""
    # An empty batch has no kernel; the sum over it is zero, of the right shape. A tracer that recorded the first kernel
    # would take it for all of a larger batch, where squeezing fails.
    weight, bias = (one if one is None else one.squeeze(0) if len(x) else one.sum(0) for one in (weight, bias))
    g = geometry
    plain = g.is_matmul and tuple(g.stride) == (1, 1) and len(x) and is_channels_last(x)
    if plain and not _is_recorded() and products.is_available(x):  # a compiler cannot follow the second question
        return products.pointwise(x, weight, bias)
    return F.conv2d(x, weight, bias, g.stride, g.padding, g.dilation, g.groups)


def _is_recorded() -> bool:
    """Whether what is computed is to be differentiated, compiled, exported or cast: by PyTorch's public operators."""
    casts = torch.is_autocast_enabled('cpu')
    return torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing() or casts


def product(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """B * G matrix products, whose graph takes any batch size; arguments as of ``convolve_per_sample``."""
    g, matrices = geometry, weight.flatten(2)  # (B, C_out, N)
    seen = _seen(x, g)  # (B, C_in, k * k, H_out, W_out), or (B, C_in, H_out, W_out) for k = 1
    size = seen.shape[-2:]
    if g.groups > 1:
        matrices, seen = (tensor.unflatten(1, (g.groups, -1)).flatten(0, 1) for tensor in (matrices, seen))
        y = torch.bmm(matrices, seen.flatten(-2).flatten(1, -2)).unflatten(0, (-1, g.groups)).flatten(1, 2)
        return (y if bias is None else y + bias.unsqueeze(2).to(y.dtype)).unflatten(2, size)
    if seen.dim() == 4 and seen.is_contiguous(memory_format=torch.channels_last):
        rows, matrices = seen.permute(0, 2, 3, 1).flatten(1, 2), matrices.transpose(1, 2)  # (B, P, C_in)
        return _product(rows, matrices, bias, 1).unflatten(1, size).permute(0, 3, 1, 2)
    columns = seen.flatten(-2).flatten(1, -2)  # (B, N, P)
    return _product(matrices, columns, bias, 2).unflatten(2, size)


def _product(left: Tensor, right: Tensor, bias: Tensor | None, axis: int) -> Tensor:
    """B products, and a bias (B, C_out) that is spread over an axis."""
    if bias is None or torch.jit.is_tracing():  # counters of FLOPs that trace don't know of baddbmm
        y = torch.bmm(left, right)
        return y if bias is None else y + bias.unsqueeze(axis)
    return torch.baddbmm(bias.unsqueeze(axis), left, right)


def _seen(x: Tensor, geometry: Geometry) -> Tensor:
    """What each element of the kernel sees of x: (B, C_in, k * k, H_out, W_out), without the third for k = 1."""
    g = geometry
    if any(g.padding):
        x = F.pad(x, (g.padding[1], g.padding[1], g.padding[0], g.padding[0]))
    (rows, columns), (step_y, step_x), (gap_y, gap_x) = g.kernel_shape[2:], g.stride, g.dilation
    if (rows, columns) == (1, 1):
        return x if (step_y, step_x) == (1, 1) else x[:, :, ::step_y, ::step_x]
    height = (x.shape[2] - gap_y * (rows - 1) - 1) // step_y + 1
    width = (x.shape[3] - gap_x * (columns - 1) - 1) // step_x + 1
    parts = [
        x[:, :, top : top + step_y * (height - 1) + 1 : step_y, left : left + step_x * (width - 1) + 1 : step_x]
        for top in range(0, gap_y * rows, gap_y)
        for left in range(0, gap_x * columns, gap_x)
    ]
    return torch.stack(parts, dim=2)


def branches(x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The mixture of K static convolutions' outputs, whose graph takes any batch size, at K times the multiply-adds.

    Arguments as of ``convolve_mixture``.
    """
    g, outputs = geometry, []
    for index, kernel in enumerate(bank.unbind()):
        output = F.conv2d(x, kernel, None if bias is None else bias[index], g.stride, g.padding, g.dilation, g.groups)
        outputs.append(attention[:, index, None, None, None] * output)
    return sum(outputs[1:], outputs[0]).to(output.dtype)  # under autocast, the sum is of attention's type
