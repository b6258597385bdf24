"""Omni-dimensional dynamic convolution (Li, Zhou and Yao, ICLR 2022): attention along all four axes of a kernel.

A hidden vector h of the image gives a number to each input channel i, each output channel o, each place p of the
kernel, and each of the K kernels::

    h              = ReLU(BN(FC(average pool(x))))
    a_i, a_o, a_p  = sigmoid(FC(h) / tau)        pi = softmax(FC(h) / tau)
    W(x)[o, i, p]  = a_o a_i a_p sum_k pi_k W_k[o, i, p]
    y              = W(x) * x + sum_k pi_k b_k

The equations are those of ``modules/odconv.py`` in the authors' repository (github.com/OSVAI/ODConv), which has no
bias. A 1x1 kernel has no a_p, a depthwise layer, whose output channels are its input channels, no a_o, K = 1 no pi.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import DynamicConv2d, normalised
from .dynamic_conv import aggregate, convolve_mixture, convolve_per_sample, pooled
from .forms import Geometry, without_autocast


class AxisAttention(nn.Linear):
    """Attention along one axis: sigmoids, or a softmax over kernels, which compete."""

    def forward(self, h: Tensor, temperature: Tensor, competes: bool) -> Tensor:
        """Maps a hidden vector (B, hidden) to numbers between zero and one (B, size)."""
        logits = super().forward(h)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature  # as in KernelAttention
        return logits.softmax(dim=1) if competes else logits.sigmoid()


class OmniAttention(nn.Module):
    """Attention along each axis, of which ``sizes`` has the lengths by name (section 3.2 of the paper)."""

    def __init__(self, in_channels: int, sizes: dict, reduction: float, temperature: float, **where: object) -> None:
        super().__init__()
        hidden = max(int(in_channels / reduction), 16)
        self.squeeze = nn.Linear(in_channels, hidden, bias=False, **where)
        self.norm = nn.BatchNorm1d(hidden, **where)
        self.axes = nn.ModuleDict({axis: AxisAttention(hidden, size, **where) for axis, size in sizes.items()})
        self.register_buffer('temperature', torch.tensor(float(temperature), **where))
        for layer in (self.squeeze, *self.axes.values()):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
        for layer in self.axes.values():
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Maps features (B, C_in, H, W) to kernels (B, K), inputs (B, C_in), outputs (B, C_out), places (B, k * k)."""
        with without_autocast(x.device.type):  # the normalisation would make rounding errors large
            h = F.relu(normalised(self.squeeze(pooled(x).to(self.squeeze.weight.dtype)), self.norm))
            return {axis: layer(h, self.temperature, axis == 'kernels') for axis, layer in self.axes.items()}


class ODConv2d(DynamicConv2d):
    """ODConv, a drop-in for :class:`torch.nn.Conv2d`.

    A warm start is exact: each sigmoid begins at one half, and the K copies of the static kernel are doubled for each.
    The softmax stays as it is drawn, which lets the copies part.

    Args:
        reduction: C_in over the attention's hidden width, which is at least 16; 16 in the paper.
        temperature: tau, at which training starts; 30 in the paper, annealed to 1 within ten epochs.
    """

    zero_at_start = tuple(f'attention.axes.{axis}.' for axis in ('inputs', 'outputs', 'places'))

    def build_attention(self, reduction: float = 16, temperature: float = 30.0, **where: object) -> nn.Module:
        """Makes the :class:`OmniAttention`."""
        if not reduction > 0:
            raise ValueError(f'reduction must be positive, got {reduction}: the paper uses 16.')
        self.check_temperature(temperature)
        sizes = {'inputs': self.in_channels}
        if self.num_kernels > 1:
            sizes['kernels'] = self.num_kernels
        if not self.in_channels == self.out_channels == self.groups:
            sizes['outputs'] = self.out_channels
        if self.kernel_size != (1, 1):
            sizes['places'] = self.kernel_size[0] * self.kernel_size[1]
        self.start_gain = 0.5 ** len(sizes.keys() - {'kernels'})  # a half for each axis that has sigmoids
        return OmniAttention(self.in_channels, sizes, reduction, temperature, **where)

    def aggregate(self, attention: dict[str, Tensor], bank: Tensor) -> Tensor:
        """Makes each sample's kernel, or bias, (B, ...) of a bank (K, ...), all but the attention over channels."""
        mixed = aggregate(attention['kernels'].to(bank.dtype), bank) if 'kernels' in attention else bank
        if bank.dim() < 5 or 'places' not in attention:
            return mixed
        return mixed * attention['places'].to(bank.dtype).view(-1, 1, 1, *self.kernel_size)

    def kernels(self, attention: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Makes each sample's whole kernel, the attention over channels in it, and its bias."""
        weight, bias = super().kernels(attention)
        inputs = attention['inputs'].to(weight.dtype).unflatten(1, (self.groups, -1))  # (B, G, C_in / G)
        weight = weight * inputs.repeat_interleave(self.out_channels // self.groups, dim=1)[..., None, None]
        if 'outputs' in attention:
            weight = weight * attention['outputs'].to(weight.dtype)[:, :, None, None, None]
        return weight, bias

    def convolve(self, x: Tensor, attention: dict[str, Tensor], geometry: Geometry) -> Tensor:
        """Mixes the kernels and convolves; attention over channels multiplies features, which are fewer."""
        g = geometry
        x = x * attention['inputs'].to(x.dtype)[:, :, None, None]
        if 'places' in attention:
            y = convolve_per_sample(x, self.aggregate(attention, self.weight), None, g)
        elif 'kernels' in attention:
            y = convolve_mixture(x, attention['kernels'], self.weight, None, g)
        else:
            y = F.conv2d(x, self.weight[0], None, g.stride, g.padding, g.dilation, g.groups)
        if 'outputs' in attention:
            y = y * attention['outputs'].to(y.dtype)[:, :, None, None]
        return y if self.bias is None else y + self.aggregate(attention, self.bias).to(y.dtype)[:, :, None, None]

    @property
    def kernel_attention(self) -> nn.Module | None:
        """Attention over kernels, which K = 1 has none of."""
        return self.attention.axes['kernels'] if self.num_kernels > 1 else None

    def folded(self, scale: Tensor, shift: Tensor) -> 'ODConv2d':
        """A copy that computes ``scale * y + shift``; the softmax's sum is one, so every bias takes the shift."""
        new, dtype = copy.deepcopy(self), self.weight.dtype
        new.weight.data = (self.weight.double() * scale[:, None, None, None]).to(dtype)
        bias = shift if self.bias is None else self.bias.double() * scale + shift
        new.bias = nn.Parameter(bias.expand(self.num_kernels, -1).to(dtype), requires_grad=False)
        return new
