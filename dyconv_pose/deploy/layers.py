"""The dynamic convolution as it is deployed: normalisation and temperature folded in, and no gradients.

The scale of a normalisation that follows goes into each of the K kernels, its shift becomes one static bias::

    s * (W(x) * x + b(x)) + t  =  (sum_k pi_k s W_k) * x + sum_k pi_k s b_k + t

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import copy

import torch
from torch import Tensor, nn

from dyconv_pose.layers import DynamicConv2d, Geometry, aggregate
from dyconv_pose.layers.dynamic_conv import convolve_mixture
from dyconv_pose.layers.forms import is_single, single
from dyconv_pose.layers.same_padding import padded


class DeployedConv2d(nn.Module):
    """A dynamic convolution that only runs, in the forms of the trained one.

    Args:
        source: The trained layer, whose kernels are mixtures of its bank; left as it is.
        scale: (C_out,), what the output is multiplied with, or ``None``.
        shift: (C_out,), what is then added to the output, or ``None``.
        split: Whether a batch of one mixes its kernel as a sum of K tensors, and not as a product of matrices.

    Attributes:
        attention: The source's, its temperature folded in.
        bank: The K kernels, one tensor each (1, C_out, C_in / G * k * k) where they are split, and else all in one
            (K, C_out, C_in / G * k * k).
        bank_scale: (C_out, 1), by which kernels that are stored as integers are multiplied, or ``None``.
        bias: (K, C_out) where the source has biases, else ``None``.
        static_bias: (C_out,), what is the same for all kernels, or ``None``.
    """

    extra_repr = DynamicConv2d.extra_repr

    def __init__(
        self, source: DynamicConv2d, scale: Tensor | None = None, shift: Tensor | None = None, split: bool = False
    ) -> None:
        super().__init__()
        for name in (*nn.Conv2d.__constants__, 'num_kernels'):
            setattr(self, name, getattr(source, name))
        self.attention = copy.deepcopy(source.attention).requires_grad_(False)
        if hasattr(self.attention, 'fold_temperature'):
            self.attention.fold_temperature()
        dtype, scale = source.weight.dtype, torch.ones(self.out_channels) if scale is None else scale
        scale = scale.to(source.weight.device, torch.float64)
        # A runtime reads whole constants the fastest, and mixes matrices faster than anything of more dimensions.
        bank = (source.weight.detach().double().flatten(2) * scale[:, None]).to(dtype)
        parts = bank.split(1 if split else self.num_kernels)
        self.bank = nn.ParameterList(nn.Parameter(part.contiguous(), requires_grad=False) for part in parts)
        self.register_buffer('bank_scale', None)
        self.register_buffer('bias', None if source.bias is None else (source.bias.detach().double() * scale).to(dtype))
        self.register_buffer('static_bias', None if shift is None else shift.to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W), or one sample (C_in, H, W), to (B, C_out, H_out, W_out)."""
        if x.dim() == 3:
            return self(x.unsqueeze(0)).squeeze(0)
        attention = self.attention(x)  # (B, K)
        x, geometry = padded(self, x)
        if is_single(x) and len(x):
            return single(x, self._kernel(attention, geometry), self._bias_of_one(attention), geometry)
        bank = self._scaled(torch.cat([part.to(x.dtype) for part in self.bank]))
        y = convolve_mixture(x, attention, bank.view(-1, *geometry.kernel_shape), self.bias, geometry)
        return y if self.static_bias is None else y + self.static_bias[:, None, None]

    def _kernel(self, attention: Tensor, geometry: Geometry) -> Tensor:
        """Mixes the kernel (1, C_out, C_in / G, k, k) of one sample, scaling it once it is mixed."""
        parts = [part.to(attention.dtype) for part in self.bank]
        if len(parts) == 1 < self.num_kernels:
            kernel = aggregate(attention, parts[0])
        else:
            shares = attention.unsqueeze(-1).split(1, dim=1)  # K times (1, 1, 1)
            kernel = sum(share * part for share, part in zip(shares, parts, strict=True))
        return self._scaled(kernel).view(1, *geometry.kernel_shape)

    def _scaled(self, kernels: Tensor) -> Tensor:
        return kernels if self.bank_scale is None else kernels * self.bank_scale

    def _bias_of_one(self, attention: Tensor) -> Tensor | None:
        static = None if self.static_bias is None else self.static_bias.unsqueeze(0)
        if self.bias is None:
            return static
        mixed = aggregate(attention, self.bias)
        return mixed if static is None else mixed + static
