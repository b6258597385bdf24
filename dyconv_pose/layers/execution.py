"""Ways to convolve every sample of a batch with a kernel of its own, and the rule that picks one.

All forms are the same function. They differ in speed, in memory, and in what a compiler or exporter can do with
them. Shape letters: B batch, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def convolve_per_sample(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Convolves sample b of x with kernel b.

    The rule: a batch of one (or none) is an ordinary convolution; a pointwise kernel is a batched matrix product;
    everything else is one convolution with B * G groups.

    Args:
        x: (B, C_in, H, W).
        weight: (B, C_out, C_in / G, k, k).
        bias: (B, C_out) or ``None``.
        stride: Vertical and horizontal step.
        padding: Zero rows and columns added on each side.
        dilation: Vertical and horizontal spacing of the kernel's elements.
        groups: G.

    Returns:
        (B, C_out, H_out, W_out).
    """
    if x.shape[0] <= 1:
        # The sum over a batch of one is its only element; over an empty batch it is zero, of the right shape.
        bias = None if bias is None else bias.sum(0)
        return F.conv2d(x, weight.sum(0), bias, stride, padding, dilation, groups)
    if weight.shape[3:] == (1, 1) and groups == 1 and padding == (0, 0):
        return _pointwise(x, weight, bias, stride)
    return _grouped(x, weight, bias, stride, padding, dilation, groups)


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
    """A 1x1 convolution as B matrix products, in the memory format of x."""
    if stride != (1, 1):
        x = x[:, :, :: stride[0], :: stride[1]]
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


def _grouped(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """All samples side by side as the channels of one, convolved with B * G groups."""
    batch = x.shape[0]
    bias = None if bias is None else bias.flatten()
    y = F.conv2d(x.flatten(0, 1).unsqueeze(0), weight.flatten(0, 1), bias, stride, padding, dilation, batch * groups)
    return y.squeeze(0).unflatten(0, (batch, -1))
