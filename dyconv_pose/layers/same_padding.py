"""Padding by hand: TensorFlow's ``'SAME'``, which pads an even image at stride 2 on its right and lower edge alone."""

import torch.nn.functional as F
from torch import Tensor, nn

from .forms import Geometry


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
        x = pad_same(x, self.kernel_size, self.stride, self.dilation, mode)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
