"""The two ways to cut a convolution with per-sample kernels into tiles: by samples, or by output channels.

Shape letters: B batch, b samples and c output channels of a tile, C_in and C_out channels, G groups, k kernel size;
P positions H_out * W_out, N elements C_in / G * k * k of an output channel's kernel.
"""

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..forms import Geometry, is_channels_last
from .products import multiply

#: Elements of a tile of kernels: 32 MiB of float32. Smaller ones, which a core's own cache would hold, were slower.
TILE = 2**23

#: Elements of features, in channels_last, that samples may have together to be moved and share a call.
SHARED = 2**19

#: Columns of the widest depthwise kernel that oneDNN has a quick routine for the weight gradient of.
_QUICK_WIDTH = 3


def _slices(count: int, elements_each: int) -> Iterator[slice]:
    """Cuts ``range(count)`` into slices of about ``TILE`` elements each."""
    step = max(1, TILE // max(elements_each, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


class SampleTiles:
    """Tiles of samples, each convolved by PyTorch's own convolution, one by one or side by side as channels.

    In channels_last a large sample is convolved where it lies, while small ones share a call. In the usual format every
    call reorders its features, so all samples share one. Dense layers, whose calls are long, take samples one by one.

    It yields each tile's samples, and where its kernels stand in a flattened bank (K, C_out * N). :meth:`backward`
    fills ``x_grad``, the gradient of x (B, C_in, H, W).
    """

    def __init__(self, x: Tensor, geometry: Geometry) -> None:
        self.x, self.x_grad, self.geometry, self.in_a_call = x, torch.empty_like(x), geometry, 1
        if geometry.groups > 1:
            self.in_a_call = max(1, SHARED // x[0].numel()) if is_channels_last(x) else len(x)

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        return ((samples, slice(None)) for samples in _slices(len(self.x), prod(self.geometry.kernel_shape)))

    def convolve(self, samples: slice, elements: slice, weight: Tensor, y: Tensor) -> None:
        """Writes the outputs of some samples into y (B, C_out, H_out, W_out); their kernels are (b, C_out * N)."""
        g = self.geometry
        for part, kernels, groups in self._calls(samples, weight):
            out = F.conv2d(_joined(self.x[part]), kernels, None, g.stride, g.padding, g.dilation, groups)
            y[part] = out.unflatten(1, (-1, y.shape[1]))[0]

    def backward(self, samples: slice, elements: slice, weight: Tensor, grad: Tensor) -> Tensor:
        """The gradient (b, C_out * N) of the kernels, ``grad`` being that of y."""
        g, gradients = self.geometry, []
        for part, kernels, groups in self._calls(samples, weight):
            some, x = _joined(grad[part]), _joined(self.x[part])
            is_wide = g.kernel_shape[3] > _QUICK_WIDTH and groups == kernels.shape[0] == x.shape[1]
            by_strips = is_wide and tuple(g.dilation) == (1, 1)
            mask = [True, not by_strips, False]
            x_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
                some, x, kernels, None, g.stride, g.padding, g.dilation, False, [0, 0], groups, mask
            )
            weight_grad = depthwise_gradient(some, x, g) if by_strips else weight_grad
            gradients.append(weight_grad.reshape(-1, weight.shape[1]))
            self.x_grad[part] = x_grad.unflatten(1, (-1, self.x.shape[1]))[0]
        return gradients[0] if len(gradients) == 1 else torch.cat(gradients)

    def _calls(self, samples: slice, weight: Tensor) -> Iterator[tuple[slice, Tensor, int]]:
        """Yields the samples of each call, their kernels side by side (b * C_out, C_in / G, k, k), and its groups."""
        starts = range(samples.start, samples.stop, self.in_a_call)
        for start, kernels in zip(starts, weight.split(self.in_a_call), strict=True):
            part, shape = slice(start, start + len(kernels)), self.geometry.kernel_shape
            yield part, kernels.view(-1, *shape[1:]), self.geometry.groups * len(kernels)


def _joined(x: Tensor) -> Tensor:
    """Features (b, C, H, W) of some samples as those of one, (1, b * C, H, W), in the same memory format."""
    if is_channels_last(x):
        return x.permute(2, 3, 0, 1).flatten(2).unsqueeze(0).permute(0, 3, 1, 2)
    return x.flatten(0, 1).unsqueeze(0)


def depthwise_gradient(grad: Tensor, x: Tensor, geometry: Geometry) -> Tensor:
    """The weight gradient (C, 1, k, k) of one sample's depthwise convolution with dilation 1, in strips of columns.

    oneDNN computes it quickly for kernels of up to three columns; for wider ones it takes longer than all the rest of
    the layer. So a wide one is taken as several strips, each over the input (1, C, H, W) moved aside.
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


class ChannelTiles:
    """Tiles of output channels, each a matrix product for every sample; for G = 1, and pointwise layers of stride 1.

    The features become columns, one for each position, of all that the kernel sees there. See :class:`SampleTiles`.
    """

    def __init__(self, x: Tensor, geometry: Geometry) -> None:
        g, self.geometry, self.x_grad = geometry, geometry, torch.empty_like(x)
        if g.is_matmul:
            self.columns, self.columns_grad = _positions(x), _positions(self.x_grad)
        else:
            self.columns = F.unfold(x, g.kernel_shape[2:], g.dilation, g.padding, g.stride)  # (B, N, P)
            self.columns_grad = torch.empty_like(self.columns)

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        batch, each, _ = self.columns.shape
        tiles = _slices(self.geometry.kernel_shape[0], batch * each)
        return ((slice(None), slice(tile.start * each, tile.stop * each)) for tile in tiles)

    def convolve(self, samples: slice, elements: slice, weight: Tensor, y: Tensor) -> None:
        """Writes some channels of the output into y (B, C_out, H_out, W_out); their kernels are (B, c * N)."""
        matrices = weight.unflatten(1, (-1, self.columns.shape[1]))
        multiply(matrices, self.columns, self._rows(y, elements))

    def backward(self, samples: slice, elements: slice, weight: Tensor, grad: Tensor) -> Tensor:
        """The gradient (B, c * N) of the kernels, ``grad`` being that of y."""
        g, some = self.geometry, self._rows(grad, elements)
        matrices = weight.unflatten(1, (-1, self.columns.shape[1]))
        multiply(matrices.transpose(1, 2), some, self.columns_grad, add=elements.start > 0)
        if not g.is_matmul and elements.stop == prod(g.kernel_shape):
            size = self.x_grad.shape[2:]
            self.x_grad.copy_(F.fold(self.columns_grad, size, g.kernel_shape[2:], g.dilation, g.padding, g.stride))
        gradient = torch.empty_like(matrices)
        multiply(some, self.columns.transpose(1, 2), gradient)
        return gradient.flatten(1)

    def _rows(self, y: Tensor, elements: slice) -> Tensor:
        """Of an output or its gradient, the channels (B, c, P) that some elements make."""
        each = self.columns.shape[1]
        return _positions(y)[:, elements.start // each : elements.stop // each]


def _positions(x: Tensor) -> Tensor:
    """Features (B, C, H, W) as (B, C, P), a view where they are contiguous in either memory format."""
    if is_channels_last(x):
        return x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2)
    return x.flatten(2)


TILINGS = {'by_sample': SampleTiles, 'by_channel': ChannelTiles}
