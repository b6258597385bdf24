"""Per-sample convolution in PyTorch's own operators, which differentiate, compile, export and run on any device.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from . import products
from .geometry import Geometry, is_channels_last


def aggregate(attention: Tensor, bank: Tensor) -> Tensor:
    """Mixes K tensors into one per sample: ``sum_k attention[b, k] * bank[k]``.

    It is one matrix product, which is what the arithmetic is, and which FLOP counters see.

    Args:
        attention: (B, K).
        bank: (K, ...).

    Returns:
        (B, ...), in the type of both, under autocast too.
    """
    with without_autocast(bank.device.type):
        return torch.mm(attention, bank.flatten(1)).view(-1, *bank.shape[1:])


def without_autocast(device_type: str) -> AbstractContextManager:
    """Keeps autocast from rounding what it covers.

    Rounded to bfloat16, attention weights at a large temperature are all alike. Where there is no autocast nothing is
    entered, so that an exported graph has no trace of it.
    """
    return torch.autocast(device_type, enabled=False) if torch.is_autocast_enabled(device_type) else nullcontext()


def single(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A batch of one, or none, as an ordinary convolution.

    Args:
        x: (B, C_in, H, W), B at most 1.
        weight: (B, C_out, C_in / G, k, k).
        bias: (B, C_out) or ``None``.
        geometry: The convolution's.

    Returns:
        (B, C_out, H_out, W_out).
    """
    # An empty batch has no kernel; the sum over it is zero, of the right shape.
    weight, bias = (tensor if tensor is None else tensor[0] if len(x) else tensor.sum(0) for tensor in (weight, bias))
    return convolve_one(x, weight, bias, geometry)


def convolve_one(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolves a batch of one, or none, with one kernel.

    Args:
        x: (B, C_in, H, W), B at most 1.
        weight: (C_out, C_in / G, k, k).
        bias: (C_out,) or ``None``.
        geometry: The convolution's.

    Returns:
        (B, C_out, H_out, W_out).
    """
    g = geometry
    plain = g.is_product and tuple(g.stride) == (1, 1) and len(x) and is_channels_last(x)
    if plain and not _is_recorded() and products.is_available(x):  # a compiler cannot follow the second question
        return products.pointwise(x, weight, bias)
    return F.conv2d(x, weight, bias, g.stride, g.padding, g.dilation, g.groups)


def _is_recorded() -> bool:
    """Whether what is computed is to be differentiated, compiled, exported or cast: by PyTorch's public operators."""
    casts = torch.is_autocast_enabled('cpu')
    return torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing() or casts


def product(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A 1x1 convolution without padding as B matrix products, in the memory format of x; arguments as of ``single``."""
    if tuple(geometry.stride) != (1, 1):
        x = x[:, :, :: geometry.stride[0], :: geometry.stride[1]]
    size = x.shape[2:]
    matrices = weight.flatten(1).unflatten(1, weight.shape[1:3])  # (B, C_out, C_in)
    if x.is_contiguous(memory_format=torch.channels_last):
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H * W, C_in)
        matrices = matrices.transpose(1, 2)
        y = torch.bmm(rows, matrices) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, matrices)
        return y.unflatten(1, size).permute(0, 3, 1, 2)
    columns = x.flatten(2)  # (B, C_in, H * W)
    y = torch.bmm(matrices, columns) if bias is None else torch.baddbmm(bias.unsqueeze(2), matrices, columns)
    return y.unflatten(2, size)


def grouped(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """All samples side by side as the channels of one, convolved with B * G groups; arguments as of ``single``."""
    batch, g = x.shape[0], geometry
    bias = None if bias is None else bias.flatten()
    joined = x.flatten(0, 1).unsqueeze(0)
    y = F.conv2d(joined, weight.flatten(0, 1), bias, g.stride, g.padding, g.dilation, batch * g.groups)
    return y.squeeze(0).unflatten(0, (batch, -1))


def branches(x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The mixture of the outputs of K static convolutions, at K times the multiply-adds.

    Args:
        x: (B, C_in, H, W).
        attention: (B, K).
        bank: (K, C_out, C_in / G, k, k).
        bias: (K, C_out) or ``None``.
        geometry: The convolution's.

    Returns:
        (B, C_out, H_out, W_out).
    """
    y = 0
    for index, kernel in enumerate(bank):
        one = None if bias is None else bias[index]
        output = F.conv2d(x, kernel, one, geometry.stride, geometry.padding, geometry.dilation, geometry.groups)
        y = y + attention[:, index, None, None, None] * output
    return y
