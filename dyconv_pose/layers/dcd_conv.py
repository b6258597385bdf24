"""Dynamic convolution by matrix decomposition (Li et al., ICLR 2021): a static kernel and a dynamic residual.

There is no bank of kernels. The image scales the output channels of one static kernel W, and mixes d channels of a
latent space, into which Q and out of which P project::

    h       = FC(pool(x)) * hsig(FC(FC(pool(x))))        hsig(z) = min(max(z + 3, 0), 6) / 3
    s, Phi  = hsig(FC(h)), FC(h)                         C_out numbers, and a matrix (d, d)
    z       = BN1(Q x)                                   at the place under the kernel's centre
    y       = s (W * x) + P (BN2(Phi z) + z) + b

The equations are those of the authors' repository (github.com/liyunsheng13/dcd), which have no bias: of ``DYModule`` in
``models/imagenet/mobilenetv2_dcd.py`` for 1x1 kernels, of ``conv_basic_dy`` in ``resnet_dcd.py`` for larger ones.
"""

import copy
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import DynamicConv2d, normalised, scale_and_shift
from .dynamic_conv import convolve_per_sample, pooled
from .forms import Geometry


def latent_size(in_channels: int, out_channels: int, kernel_size: int) -> tuple[int, int]:
    """The latent channels d, and over how many parts of the image features are pooled: 1, or 2 x 2 = 4."""
    if kernel_size > 1:
        return int((4 * in_channels) ** 0.5), 4
    parts, share = (4, 8) if in_channels < out_channels else (1, 2)
    while (min(in_channels * parts, out_channels) // share) ** 2 > 2 * in_channels * parts:
        share *= 2
    return max(min(in_channels * parts, out_channels) // share, 4), parts


class DecompositionAttention(nn.Module):
    """What the image says, pooled in 1 or 4 parts: a scale for each output channel, and Phi."""

    def __init__(self, inputs: int, outputs: int, latent: int, parts: int, squeeze: int, **where: object) -> None:
        super().__init__()
        hidden = max(max(inputs * parts, latent**2) // squeeze, 4)
        self.parts, self.latent = parts, latent
        self.squeeze = nn.Linear(inputs * parts, hidden, bias=False, **where)
        self.gate = nn.Linear(hidden, hidden, bias=False, **where)
        self.phi = nn.Linear(hidden, latent**2, bias=False, **where)
        self.scale = nn.Linear(hidden, outputs, bias=False, **where)
        for layer in self.children():
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps features (B, C_in, H, W) to scales (B, C_out) and matrices (B, d, d)."""
        halves = [[slice(0, -(-size // 2)), slice(size // 2, size)] for size in x.shape[2:]]  # they share a middle line
        parts = [x[:, :, row, column] for row, column in product(*halves)] if self.parts == 4 else [x]
        h = self.squeeze(torch.stack([pooled(part) for part in parts], dim=2).flatten(1))
        h = h * (F.relu6(self.gate(h) + 3) / 3)
        return F.relu6(self.scale(h) + 3) / 3, self.phi(h).unflatten(1, (self.latent, self.latent))


class DCDConv2d(DynamicConv2d):
    """DCD, a drop-in for :class:`torch.nn.Conv2d` without groups and with an odd kernel.

    In training the terms run as they stand above, in evaluation all is one kernel for each sample. A warm start is
    exact: the residual begins at zero, and the scales at one.

    Args:
        squeeze: By what the attention's hidden layer is narrower than its input or Phi; 16 in the authors' training.
    """

    kernel_attention = None  # there is one kernel
    start_gain, zero_at_start = 1.0, ('expand.weight', 'attention.scale.weight')

    def __init__(self, *arguments: object, num_kernels: int = 1, **keywords: object) -> None:
        super().__init__(*arguments, num_kernels=num_kernels, **keywords)

    @classmethod
    def misfit(cls, conv: nn.Module) -> str:
        """Why DCD cannot replace a convolution; empty where it can."""
        if conv.groups > 1:
            return f'groups={conv.groups}, and the residual of DCD mixes all channels'
        return '' if all(k % 2 for k in conv.kernel_size) else f'kernel_size={conv.kernel_size} has no centre'

    def build_attention(self, squeeze: int = 16, **where: object) -> nn.Module:
        """Makes the :class:`DecompositionAttention`, and Q, P and the normalisations between them."""
        if self.num_kernels != 1:
            raise ValueError(f'DCDConv2d has no bank of kernels, got num_kernels={self.num_kernels}: leave it out.')
        if squeeze < 1:
            raise ValueError(f'squeeze must be at least 1, got {squeeze}: the authors train with 16.')
        if reason := self.misfit(self):
            raise ValueError(f'DCDConv2d does not fit this layer ({reason}): leave it static.')
        latent, parts = latent_size(self.in_channels, self.out_channels, max(self.kernel_size))
        self.reduce = nn.Linear(self.in_channels, latent, bias=False, **where)  # Q
        self.expand = nn.Linear(latent, self.out_channels, bias=False, **where)  # P
        self.norm1, self.norm2 = nn.BatchNorm1d(latent, **where), nn.BatchNorm1d(latent, **where)
        nn.init.kaiming_normal_(self.reduce.weight, mode='fan_out', nonlinearity='relu')
        nn.init.kaiming_normal_(self.expand.weight, mode='fan_out', nonlinearity='relu')
        return DecompositionAttention(self.in_channels, self.out_channels, latent, parts, squeeze, **where)

    def convolve(self, x: Tensor, attention: tuple[Tensor, Tensor], geometry: Geometry) -> Tensor:
        """One kernel for each sample in evaluation, the terms one by one in training."""
        is_exported = torch.compiler.is_exporting() and self.kernel_size != (1, 1)  # large kernels cost more there
        if not (self.training or is_exported):
            return convolve_per_sample(x, *self.kernels(attention), geometry)
        (scale, phi), g = attention, geometry
        y = F.conv2d(x, self.weight[0], None, g.stride, g.padding, g.dilation) * scale[:, :, None, None]
        # The kernel's centre starts k // 2 elements behind the padding's edge.
        top, left = (pad - gap * (k // 2) for pad, gap, k in zip(g.padding, g.dilation, self.kernel_size, strict=True))
        seen = F.pad(x, (left, left, top, top)) if top or left else x
        z = normalised(F.conv2d(seen, self.reduce.weight[:, :, None, None], None, g.stride).flatten(2), self.norm1)
        z = self.norm2(torch.bmm(phi, z)) + z  # (B, d, P)
        y = y + F.conv1d(z, self.expand.weight[:, :, None]).unflatten(2, y.shape[2:])
        return y if self.bias is None else y + self.bias[0, :, None, None]

    def kernels(self, attention: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Makes each sample's kernel (B, C_out, C_in, k, k) and bias (B, C_out), from running statistics."""
        (scale, phi), expand = attention, self.expand.weight
        (s1, t1), (s2, t2) = scale_and_shift(self.norm1), scale_and_shift(self.norm2)
        through = torch.matmul(expand * s2, phi) + expand  # P (S2 Phi + 1), (B, C_out, d)
        residual = torch.matmul(through, s1[:, None] * self.reduce.weight)  # (B, C_out, C_in)
        rows, columns = (k // 2 for k in self.kernel_size)
        residual = F.pad(residual[:, :, :, None, None], (columns, columns, rows, rows))
        bias = (through * t1).sum(dim=2) + (expand * t2).sum(dim=1)
        weight = scale[:, :, None, None, None] * self.weight + residual
        return weight, bias if self.bias is None else bias + self.bias[0]

    def folded(self, scale: Tensor, shift: Tensor) -> 'DCDConv2d':
        """A copy that computes ``scale * y + shift``."""
        new, dtype = copy.deepcopy(self), self.weight.dtype
        new.weight.data = (self.weight.double() * scale[:, None, None, None]).to(dtype)
        new.expand.weight.data = (self.expand.weight.double() * scale[:, None]).to(dtype)
        bias = shift[None] if self.bias is None else self.bias.double() * scale + shift
        new.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
        return new
