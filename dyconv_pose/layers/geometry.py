"""The geometry of a convolution, and the memory formats of features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """All of a convolution but the values of its kernel.

    Attributes:
        kernel_shape: (C_out, C_in / G, k, k).
        stride, padding, dilation, groups: As ``F.conv2d`` takes them, vertical before horizontal.
    """

    kernel_shape: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int

    @property
    def channel_elements(self) -> int:
        """The elements C_in / G * k * k of the kernel of one output channel."""
        return self.kernel_shape[1] * self.kernel_shape[2] * self.kernel_shape[3]

    @property
    def is_matmul(self) -> bool:
        """Whether it is a matrix product of channels at each position that it takes: 1x1, ungrouped, unpadded."""
        return tuple(self.kernel_shape[2:]) == (1, 1) and self.groups == 1 and not any(self.padding)

    def elements(self, channels: slice) -> slice:
        """Where the kernels of some output channels stand in a flattened kernel."""
        if channels == slice(None):
            return channels
        return slice(channels.start * self.channel_elements, channels.stop * self.channel_elements)

    def output_size(self, x: Tensor) -> tuple[int, int]:
        """H_out and W_out for features (B, C_in, H, W)."""
        sizes = zip(x.shape[2:], self.kernel_shape[2:], self.stride, self.padding, self.dilation, strict=True)
        height, width = ((size + 2 * pad - gap * (k - 1) - 1) // step + 1 for size, k, step, pad, gap in sizes)
        return height, width

    def empty_output(self, x: Tensor) -> Tensor:
        """Room for the output (B, C_out, H_out, W_out), in the type and memory format of x."""
        shape = (x.shape[0], self.kernel_shape[0], *self.output_size(x))
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_format_of(x))


def is_channels_last(x: Tensor) -> bool:
    """Whether features (B, C, H, W) have their channels innermost in memory, and so not also the usual order."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def empty_gradient(x: Tensor) -> Tensor:
    """Room for the gradient of features x (B, C, H, W), in their type and, where they have one, their memory format."""
    return torch.empty_like(x, memory_format=_format_of(x))


def _format_of(x: Tensor) -> torch.memory_format:
    return torch.channels_last if is_channels_last(x) else torch.contiguous_format
