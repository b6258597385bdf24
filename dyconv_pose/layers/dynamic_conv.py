"""Dynamic convolution: attention over convolution kernels (Chen et al., CVPR 2020), the paper in one file.

A dynamic layer holds K parallel kernels. For every sample it mixes them into one kernel with attention weights
computed from the sample itself, and convolves the sample with the mixture (section 3 of the paper)::

    pi(x)  = softmax(FC(ReLU(FC(average pool(x)))) / tau)       K numbers, non-negative, with sum one
    W(x)   = sum_k pi_k(x) W_k          b(x) = sum_k pi_k(x) b_k
    y      = W(x) * x + b(x)            one ordinary convolution

:class:`KernelAttention` is the first line, :func:`aggregate` the second, :func:`convolve_per_sample` the third, and
:class:`DyConv2d` joins them. On a CPU, :mod:`dyconv_pose.layers.cpu` computes the last two lines at once, faster.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import forms
from .base import DynamicConv2d
from .cpu.tile_forms import TILINGS
from .cpu.tiles import convolve_in_tiles
from .forms import Geometry


class KernelAttention(nn.Module):
    """Attention over K kernels: squeeze-and-excitation with a softmax (section 3.2 of the paper).

    The temperature tau flattens the softmax. Nearly uniform attention early in training lets all K kernels learn
    (section 3.3). It is a buffer, so that a checkpoint carries it, and a schedule may change it at any time.

    Arguments are C_in, K, C_in over the width of the hidden layer, tau, and ``device`` and ``dtype`` of the parameters;
    one that is out of its range raises a ValueError.
    """

    def __init__(
        self, in_channels: int, num_kernels: int = 4, reduction: int = 4, temperature: float = 30.0, **where: object
    ) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f'reduction must be at least 1, got {reduction}: the paper uses 4.')
        DynamicConv2d.check_temperature(temperature)
        self.squeeze = nn.Linear(in_channels, max(in_channels // reduction, 1), **where)
        self.excite = nn.Linear(self.squeeze.out_features, num_kernels, **where)
        self.register_buffer('temperature', torch.tensor(float(temperature), **where))

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, K), in float32 under autocast."""
        logits = self.excite(F.relu(self.squeeze(pooled(x))))  # (B, K)
        # At least in float32: a small tau would carry float16 logits beyond their range.
        return torch.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)) / self.temperature, dim=1)

    @torch.no_grad()
    def fold_temperature(self) -> None:
        """Moves tau, which divides the logits, into the last layer's weights; it is one afterwards."""
        for parameter in self.excite.parameters():
            parameter.copy_(parameter.double() / self.temperature.double())
        self.temperature.fill_(1.0)


def pooled(x: Tensor) -> Tensor:
    """Averages features (B, C, H, W) over all places: (B, C)."""
    # As a sum, which float16 can't hold: the gradient of a mean would be written out before it is added.
    if x.requires_grad and x.dtype != torch.float16 and not torch.jit.is_tracing():  # a trace would keep H * W
        return x.sum(dim=(2, 3)) / x.shape[2:].numel()
    return x.mean(dim=(2, 3))


def aggregate(attention: Tensor, bank: Tensor) -> Tensor:
    """Mixes K tensors into one per sample: ``sum_k attention[b, k] * bank[k]``.

    Of attention (B, K) and a bank (K, ...) it makes (B, ...), all in one type, under autocast too.
    """
    with forms.without_autocast(bank.device.type):
        return torch.mm(attention, bank.flatten(1)).view(-1, *bank.shape[1:])  # one product, which FLOP counters see


def convolve_per_sample(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolves sample b of x with kernel b, and adds bias b.

    Maps x (B, C_in, H, W), weight (B, C_out, C_in / G, k, k) and bias (B, C_out) or None to (B, C_out, H_out, W_out).
    """
    form, g = forms.choose_form(x, geometry, is_mixture=False), geometry
    if form in ('single', 'product'):
        return (forms.single if form == 'single' else forms.product)(x, weight, bias, geometry)
    # All samples side by side as the channels of one, which B * G groups keep apart.
    joined, bias = x.flatten(0, 1).unsqueeze(0), None if bias is None else bias.flatten()
    y = F.conv2d(joined, weight.flatten(0, 1), bias, g.stride, g.padding, g.dilation, len(x) * g.groups)
    return y.squeeze(0).unflatten(0, (len(x), -1))


def convolve_mixture(x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolves sample b of x with the kernel ``sum_k attention[b, k] * bank[k]``, in the form that suits it best.

    Of x (B, C_in, H, W), attention (B, K), a bank (K, C_out, C_in / G, k, k) and a bias (K, C_out), which is mixed too,
    or ``None``, it makes (B, C_out, H_out, W_out), in the type of x or of autocast.
    """
    form, attention = forms.choose_form(x, geometry), attention.to(bank.dtype)
    if form == 'branches':
        return forms.branches(x, attention, bank, bias, geometry)
    mixed_bias = None if bias is None else aggregate(attention, bias)  # (B, C_out)
    if form in TILINGS:
        return convolve_in_tiles(x, attention, bank, mixed_bias, geometry, form)
    return convolve_per_sample(x, aggregate(attention, bank), mixed_bias, geometry)


class DyConv2d(DynamicConv2d):
    """The paper's dynamic convolution; a drop-in for :class:`torch.nn.Conv2d`, and with K = 1 the same function.

    Args:
        *arguments: Those of :class:`~dyconv_pose.layers.DynamicConv2d`: ``nn.Conv2d``'s, then ``num_kernels``.
        reduction: C_in over the attention's hidden width; 4 in the paper.
        temperature: tau, at which training starts; 30 in the paper.
    """

    aggregate = staticmethod(aggregate)

    def build_attention(self, reduction: int = 4, temperature: float = 30.0, **where: object) -> nn.Module:
        """Makes the :class:`KernelAttention` that maps x to pi."""
        return KernelAttention(self.in_channels, self.num_kernels, reduction, temperature, **where)

    def convolve(self, x: Tensor, attention: Tensor, geometry: Geometry) -> Tensor:
        """Mixes the kernels and convolves; subclasses with ``kernels`` or an ``aggregate`` of their own use them."""
        if self.is_mixture:
            return convolve_mixture(x, attention, self.weight, self.bias, geometry)
        return convolve_per_sample(x, *self.kernels(attention.to(self.weight.dtype)), geometry)

    @property
    def is_mixture(self) -> bool:
        """Whether a subclass has left the mixture, and the convolution with it, as they are."""
        kind = type(self)
        own = (kind.aggregate, kind.kernels, kind.convolve, kind.forward)
        return own == (aggregate, DyConv2d.kernels, DyConv2d.convolve, DyConv2d.forward)
