"""The geometry of a convolution, padding by hand, and the forms of per-sample convolution with the rule that picks one.

Forms are equivalent functions of different speed; those here are of PyTorch's own operators. The rule is what the
tables of ``benchmarks/layer_cost.py`` say. TensorFlow's ``'SAME'`` pads an even image at stride 2 right and below only.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size;
P positions H_out * W_out, N elements C_in / G * k * k of an output channel's kernel.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cpu import products

#: An ordinary convolution, for a batch of one (or none); a matrix product for each sample; one convolution with B * G
#: groups; in two kinds of tiles (see :mod:`~dyconv_pose.layers.cpu.tiles`); the mixture of K static convolutions.
FORMS = ('single', 'product', 'grouped', 'by_sample', 'by_channel', 'branches')


@dataclass(frozen=True)
class Geometry:
    """All of a convolution but the values of its kernel, as ``F.conv2d`` takes it, vertical before horizontal."""

    kernel_shape: Sequence[int]  # (C_out, C_in / G, k, k)
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int

    @property
    def is_matmul(self) -> bool:
        """Whether it is a matrix product of channels at each position that it takes: 1x1, ungrouped, unpadded."""
        return tuple(self.kernel_shape[2:]) == (1, 1) and self.groups == 1 and not any(self.padding)

    def output_size(self, x: Tensor) -> tuple[int, int]:
        """H_out and W_out for features (B, C_in, H, W)."""
        sizes = zip(x.shape[2:], self.kernel_shape[2:], self.stride, self.padding, self.dilation, strict=True)
        height, width = ((size + 2 * pad - gap * (k - 1) - 1) // step + 1 for size, k, step, pad, gap in sizes)
        return height, width


def pad_same(x: Tensor, kernel_size: tuple, stride: tuple, dilation: tuple = (1, 1), mode: str = 'constant') -> Tensor:
    """Pads (B, C, H, W) so that a convolution gives (B, C_out, ceil(H / stride), ceil(W / stride))."""
    pads = []  # left, right, top, bottom
    for size, k, step, gap in zip(x.shape[2:], kernel_size, stride, dilation, strict=True):
        total = max((-(-size // step) - 1) * step + gap * (k - 1) + 1 - size, 0)
        pads = [total // 2, total - total // 2, *pads]
    return F.pad(x, pads, mode=mode) if any(pads) else x


def padded(conv: nn.Module, x: Tensor) -> tuple[Tensor, Geometry]:
    """Pads x by hand where PyTorch's convolution can't, and returns the convolution that is left."""
    mode = 'constant' if conv.padding_mode == 'zeros' else conv.padding_mode
    padding = (0, 0) if conv.padding == 'valid' else conv.padding
    if padding == 'same' and mode == 'constant' and tuple(conv.stride) == (1, 1):
        total = [gap * (side - 1) for gap, side in zip(conv.dilation, conv.kernel_size, strict=True)]
        padding = padding if any(one % 2 for one in total) else tuple(one // 2 for one in total)  # without a copy
    if padding == 'same':
        x, padding = pad_same(x, conv.kernel_size, conv.stride, conv.dilation, mode), (0, 0)
    elif mode != 'constant' and any(padding):
        x, padding = F.pad(x, (padding[1], padding[1], padding[0], padding[0]), mode=mode), (0, 0)
    shape = conv.out_channels, conv.in_channels // conv.groups, *conv.kernel_size
    return x, Geometry(shape, conv.stride, padding, conv.dilation, conv.groups)


class Conv2dSame(nn.Conv2d):
    """``nn.Conv2d`` with padding ``'SAME'`` at any stride; the number that MMCV's ConvModule gives is not followed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 'same',
        *args: object,
        **kwargs: object,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, 0, *args, **kwargs)
        self.padding = 'same'

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W) to (B, C_out, ceil(H / stride), ceil(W / stride))."""
        mode = 'constant' if self.padding_mode == 'zeros' else self.padding_mode
        x = pad_same(x, self.kernel_size, self.stride, self.dilation, mode)  # also of another class: see make_dynamic
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def is_single(x: Tensor) -> bool:
    """Whether features (B, ...) are a batch of one, or none, and may be taken for that: not where any B may follow."""
    # An exporter's symbol is no integer, and compared with one it would become a constant of the graph.
    return not torch.jit.is_tracing() and isinstance(x.shape[0], int) and x.shape[0] <= 1


def choose_form(x: Tensor, geometry: Geometry, is_mixture: bool = True) -> str:
    """The form that suits features and a convolution best; kernels that are no mixture of a bank have no tiles."""
    if is_single(x):
        return 'single'
    is_exported = torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()
    if is_exported or torch.jit.is_tracing():  # for any batch size; counters of FLOPs that trace understand products
        return 'branches' if is_exported and is_mixture and geometry.groups > 1 else 'product'
    if x.device.type != 'cpu' or not is_mixture:
        return 'product' if geometry.is_matmul else 'grouped'
    is_depthwise = geometry.kernel_shape[1] == 1 < geometry.groups
    # The gradient of wide kernels is quicker in tiles.
    if is_depthwise and not is_channels_last(x) and not (torch.is_grad_enabled() and geometry.kernel_shape[3] > 3):
        return 'grouped'
    height, width = geometry.output_size(x)
    is_small = geometry.groups == 1 and height * width <= 64  # kernels so much larger that they are to be read once
    return 'by_channel' if geometry.is_matmul or is_small else 'by_sample'


def is_channels_last(x: Tensor) -> bool:
    """Whether features (B, C, H, W) have their channels innermost in memory, and so not also the usual order."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def memory_format(x: Tensor) -> torch.memory_format:
    """That of features (B, C, H, W); for those that have neither, the usual one."""
    return torch.channels_last if is_channels_last(x) else torch.contiguous_format


def without_autocast(device_type: str) -> AbstractContextManager:
    """Keeps autocast from rounding: in bfloat16, attention weights at a large temperature are all alike."""
    # Where there is none nothing is entered, so that an exported graph has no trace of it.
    return torch.autocast(device_type, enabled=False) if torch.is_autocast_enabled(device_type) else nullcontext()


def single(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """A batch of one, or none, as an ordinary convolution; arguments as of ``convolve_per_sample``."""
    # An empty batch has no kernel; the sum over it is zero, of the right shape. A tracer that recorded the first kernel
    # would take it for all of a larger batch, where squeezing fails.
    weight, bias = (one if one is None else one.squeeze(0) if len(x) else one.sum(0) for one in (weight, bias))
    g = geometry
    plain = g.is_matmul and tuple(g.stride) == (1, 1) and len(x) and is_channels_last(x)
    # What is differentiated, compiled, exported or cast is to be one of PyTorch's public operators.
    is_recorded = torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing()
    if plain and not (is_recorded or torch.is_autocast_enabled('cpu')) and products.is_available(x):
        return products.pointwise(x, weight, bias)
    return F.conv2d(x, weight, bias, g.stride, g.padding, g.dilation, g.groups)


def product(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """B * G matrix products, whose graph takes any batch size; arguments as of ``convolve_per_sample``."""
    groups, matrices, seen = geometry.groups, weight.flatten(2), _seen(x, geometry)
    size = seen.shape[-2:]
    is_last = not torch.compiler.is_exporting() and seen.dim() == 4 and is_channels_last(seen)
    if groups == 1 and is_last:
        rows = seen.permute(0, 2, 3, 1).flatten(1, 2)  # (B, P, C_in)
        y = torch.bmm(rows, matrices.transpose(1, 2)).unflatten(1, size).permute(0, 3, 1, 2)
    else:
        if groups > 1:
            matrices, seen = (tensor.unflatten(1, (groups, -1)).flatten(0, 1) for tensor in (matrices, seen))
        y = torch.bmm(matrices, seen.flatten(-2).flatten(1, -2))  # (B * G, C_out / G, P)
        y = (y if groups == 1 else y.unflatten(0, (-1, groups)).flatten(1, 2)).unflatten(2, size)
    return y if bias is None else y + bias.to(y.dtype)[:, :, None, None]


def _seen(x: Tensor, geometry: Geometry) -> Tensor:
    """What each element of the kernel sees of x: (B, C_in, k * k, H_out, W_out), without the third for k = 1."""
    g = geometry
    height, width = g.output_size(x)
    if any(g.padding):
        x = F.pad(x, (g.padding[1], g.padding[1], g.padding[0], g.padding[0]))
    (rows, columns), (step_y, step_x), (gap_y, gap_x) = g.kernel_shape[2:], g.stride, g.dilation
    if (rows, columns) == (1, 1):
        return x if (step_y, step_x) == (1, 1) else x[:, :, ::step_y, ::step_x]
    parts = [
        x[:, :, top : top + step_y * (height - 1) + 1 : step_y, left : left + step_x * (width - 1) + 1 : step_x]
        for top in range(0, gap_y * rows, gap_y)
        for left in range(0, gap_x * columns, gap_x)
    ]
    return torch.stack(parts, dim=2)


def branches(
    x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry, shift: Tensor | None = None
) -> Tensor:
    """The sum of K static convolutions, each of x or its output scaled, and ``shift`` (C_out,), for any batch size.

    Other arguments as of ``convolve_mixture``.
    """
    g = geometry
    # In ONNX Runtime, a sum of static convolutions of scaled inputs is fused, with the shift and the activation.
    is_input_scaled = bias is None and max(g.stride) == 1
    shares = attention[..., None, None, None].unbind(1)  # K times (B, 1, 1, 1)
    y = None
    for index, (share, kernel) in enumerate(zip(shares, bank, strict=True)):
        one = shift if is_input_scaled and not index else None if bias is None else bias[index]
        seen = share.to(x.dtype) * x if is_input_scaled else x
        output = F.conv2d(seen, kernel, one, g.stride, g.padding, g.dilation, g.groups)
        part = output if is_input_scaled else share.to(output.dtype) * output
        y = part if y is None else y + part
    return y if shift is None or is_input_scaled else y + shift[:, None, None]
