"""The two ways to cut a convolution with per-sample kernels into tiles: by samples, or by output channels.

Shape letters: B batch, b samples of a tile, C_in and C_out channels, c output channels of a tile, G groups, H and W
height and width, k kernel size; P positions H_out * W_out, N elements C_in / G * k * k of an output channel's kernel.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import Geometry, empty_gradient, is_channels_last
from .depthwise import is_wide, weight_gradient
from .products import multiply

#: Elements of a tile of kernels: 32 MiB of float32. Smaller ones, which a core's own cache would hold, were slower:
#: more calls and narrower matrices cost more than what they save in memory traffic.
TILE = 2**23

#: Elements of features, in channels_last, that samples may have together to share a call: moving those costs less than
#: calls of their own, as long as what is moved stays in a core's cache.
SHARED = 2**19

_ALL = slice(None)


def _slices(count: int, elements_each: int) -> Iterator[slice]:
    """Cuts ``range(count)`` into slices of about ``TILE`` elements each."""
    step = max(1, TILE // max(elements_each, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


class SampleTiles:
    """Tiles of samples, each convolved by PyTorch's own convolution, one by one or side by side as channels.

    In channels_last a sample is a contiguous piece of memory and a large one is convolved where it lies, while small
    ones share a call, for which they are moved. In the usual format every call reorders its features, so all samples
    share one. Dense layers, whose calls are long, take samples one by one.

    Args:
        x: (B, C_in, H, W).
        geometry: The convolution's.
    """

    def __init__(self, x: Tensor, geometry: Geometry) -> None:
        self.x, self.geometry = x, geometry
        if geometry.groups == 1:
            self.in_a_call = 1
        else:
            self.in_a_call = max(1, SHARED // x[0].numel()) if is_channels_last(x) else len(x)
        self.x_grad = None

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Yields pairs of samples and channels, the channels being all."""
        shape = self.geometry.kernel_shape
        return ((samples, _ALL) for samples in _slices(len(self.x), shape[0] * self.geometry.channel_elements))

    def convolve(self, samples: slice, channels: slice, weight: Tensor, y: Tensor) -> None:
        """Writes the outputs of some samples into y (B, C_out, H_out, W_out); their kernels are (b, C_out * N)."""
        g = self.geometry
        for part, kernels in self._parts(samples, weight):
            x = self._joined(self.x[part])
            out = F.conv2d(x, kernels, None, g.stride, g.padding, g.dilation, self._groups(part))
            y[part] = self._parted(out, part)

    def backward(self, samples: slice, channels: slice, weight: Tensor, grad: Tensor, needs_x: bool) -> Tensor:
        """The gradient (b, C_out * N) of the kernels, ``grad`` being that of y; that of x is kept."""
        if needs_x and self.x_grad is None:
            self.x_grad = empty_gradient(self.x)
        g, gradients = self.geometry, []
        for part, kernels in self._parts(samples, weight):
            some, x, groups = self._joined(grad[part]), self._joined(self.x[part]), self._groups(part)
            wide = is_wide(x, groups, g)
            mask = [needs_x, not wide, False]
            x_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
                some, x, kernels, None, g.stride, g.padding, g.dilation, False, [0, 0], groups, mask
            )
            gradients.append((weight_gradient(some, x, g) if wide else weight_grad).reshape(-1, weight.shape[1]))
            if needs_x:
                self.x_grad[part] = self._parted(x_grad, part)
        return gradients[0] if len(gradients) == 1 else torch.cat(gradients)

    def input_gradient(self) -> Tensor:
        """The gradient of x, once ``backward`` has seen every tile."""
        return self.x_grad

    def _parts(self, samples: slice, weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yields the samples of each call and their kernels (C_out, C_in / G, k, k), those of several as one kernel."""
        shape, start = self.geometry.kernel_shape, samples.start
        for first in range(start, samples.stop, self.in_a_call):
            part = slice(first, min(first + self.in_a_call, samples.stop))
            yield part, weight[part.start - start : part.stop - start].view(-1, *shape[1:])

    def _joined(self, x: Tensor) -> Tensor:
        """Features (b, C, H, W) of some samples as those of one, (1, b * C, H, W), in the same memory format."""
        if len(x) == 1:
            return x
        if is_channels_last(x):
            return x.permute(2, 3, 0, 1).flatten(2).unsqueeze(0).permute(0, 3, 1, 2)
        return x.flatten(0, 1).unsqueeze(0)

    def _parted(self, x: Tensor, part: slice) -> Tensor:
        """The reverse of ``_joined``."""
        return x.unflatten(1, (part.stop - part.start, -1)).squeeze(0)

    def _groups(self, part: slice) -> int:
        return self.geometry.groups * (part.stop - part.start)


class ChannelTiles:
    """Tiles of output channels, each a matrix product for every sample; for G = 1.

    The features become columns, one for each position, of all that the kernel sees there.

    Args:
        x: (B, C_in, H, W).
        geometry: The convolution's.
    """

    def __init__(self, x: Tensor, geometry: Geometry) -> None:
        g = geometry
        self.x, self.geometry = x, geometry
        if g.is_matmul:
            self.columns = _positions(x[:, :, :: g.stride[0], :: g.stride[1]])
        else:
            self.columns = F.unfold(x, g.kernel_shape[2:], g.dilation, g.padding, g.stride)  # (B, N, P)
        self.x_grad = self.columns_grad = None

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Yields pairs of samples and channels, the samples being all."""
        channels, elements = self.geometry.kernel_shape[0], len(self.x) * self.geometry.channel_elements
        return ((_ALL, tile) for tile in _slices(channels, elements))

    def convolve(self, samples: slice, channels: slice, weight: Tensor, y: Tensor) -> None:
        """Writes some channels of the output into y (B, C_out, H_out, W_out); their kernels are (B, c * N)."""
        out, matrices = _positions(y), self._matrices(weight)
        if matrices.shape[1] == out.shape[1]:  # all channels at once: written where they belong
            _product(matrices, self.columns, out)
        else:
            out[:, channels] = _product(matrices, self.columns)

    def backward(self, samples: slice, channels: slice, weight: Tensor, grad: Tensor, needs_x: bool) -> Tensor:
        """The gradient (B, c * N) of the kernels, ``grad`` being that of y; that of x is kept."""
        some = _positions(grad)[:, channels]  # (B, c, P)
        if needs_x:
            matrices = self._matrices(weight).transpose(1, 2)
            if self.columns_grad is None:
                self._make_room_for_gradient()
                _product(matrices, some, self.columns_grad)
            else:
                _product(matrices, some, self.columns_grad, add=True)
        return multiply(some, self.columns.transpose(1, 2)).flatten(1)

    def input_gradient(self) -> Tensor:
        """The gradient of x, once ``backward`` has seen every tile."""
        g = self.geometry
        if self.x_grad is None:
            self.x_grad = empty_gradient(self.x)
            if g.is_matmul:
                step_y, step_x = g.stride
                self.x_grad.zero_()[:, :, ::step_y, ::step_x] = self.columns_grad.unflatten(2, g.output_size(self.x))
            else:
                self.x_grad.copy_(
                    F.fold(self.columns_grad, self.x.shape[2:], g.kernel_shape[2:], g.dilation, g.padding, g.stride)
                )
        return self.x_grad

    def _make_room_for_gradient(self) -> None:
        """Makes the columns' gradient that of x where it can be: autograd adds to it in place, but not to a view."""
        if self.geometry.is_matmul and tuple(self.geometry.stride) == (1, 1):
            self.x_grad = empty_gradient(self.x)
            self.columns_grad = _positions(self.x_grad)
        else:
            self.columns_grad = torch.empty_like(self.columns)

    def _matrices(self, weight: Tensor) -> Tensor:
        """Kernels (B, c * N) as matrices (B, c, N)."""
        return weight.unflatten(1, (-1, self.geometry.channel_elements))


def _positions(x: Tensor) -> Tensor:
    """Features (B, C, H, W) as (B, C, P), a view where they are contiguous in either memory format."""
    if is_channels_last(x):
        return x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2)
    return x.flatten(2)


def _product(matrices: Tensor, columns: Tensor, out: Tensor | None = None, add: bool = False) -> Tensor:
    """:func:`multiply` of (B, m, n) and (B, n, P), positions innermost or outermost as in ``out`` or ``columns``."""
    if (columns if out is None else out).stride(2) != 1:
        out = None if out is None else out.transpose(1, 2)
        matrices, columns = columns.transpose(1, 2), matrices.transpose(1, 2)
        return multiply(matrices, columns, out, add).transpose(1, 2)
    return multiply(matrices, columns, out, add)


#: The ways to cut, by name.
TILINGS = {'by_sample': SampleTiles, 'by_channel': ChannelTiles}
