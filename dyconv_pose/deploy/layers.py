"""The dynamic convolution as it is deployed: normalisation and temperature folded in, in a form that converts.

Attention weights sum to one, so an affine map after the convolution distributes over the K kernels exactly::

    s * (W(x) * x) + t  =  (sum_k pi_k (s W_k)) * x + sum_k pi_k t

With s and t of batch normalisation, its scale goes into the kernels and its shift, the same for all k, becomes one
static bias. tau divides the logits, and so goes into the last fully-connected layer of the attention.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dyconv_pose.layers.dynamic_conv import DyConv2d
from dyconv_pose.layers.execution import convolve_mixture
from dyconv_pose.layers.geometry import Geometry
from dyconv_pose.layers.per_sample import aggregate, convolve_one

#: How a deployed layer convolves each sample with its own kernel; all are the same function.
FORMS = ('rule', 'grouped', 'product', 'mixed')

#: How it mixes the kernels: as a matrix product of attention and bank, or as a sum of scaled kernels.
AGGREGATIONS = ('product', 'sum')


class DeployedDyConv2d(nn.Module):
    """A :class:`DyConv2d` that only runs.

    Args:
        source: The trained layer, left as it is.
        form: ``'rule'``: what :mod:`dyconv_pose.layers.execution` picks for the batch at hand.
            ``'grouped'``: one convolution with B * G groups, which fixes the batch size in an exported graph.
            ``'product'``: a matrix product per sample, of shifted copies of x where the kernel is larger than 1x1; for
            G = 1. ``'mixed'``: the mixture of the outputs of K static convolutions, at K times the multiply-adds.
        scale: (C_out,), what the output is multiplied with, or ``None``.
        shift: (C_out,), what is then added to the output, or ``None``.
        aggregation: One of :data:`AGGREGATIONS`.

    Attributes:
        bank: The K kernels, one tensor each (1, C_out, C_in / G * k * k) where a form that mixes kernels does so as a
            sum, and else all in one (K, C_out, C_in / G * k * k). In the form ``'product'`` the elements of a kernel
            come before its channels.
        bank_scale: (C_out, 1), by which kernels that are stored as integers are multiplied, or ``None``.
        squeeze_scale: (hidden, 1), the same of the attention's first layer.
        bias: (K, C_out) where the source has biases, else ``None``.
        static_bias: (C_out,), the part of the bias that is the same for all kernels, or ``None``.

    Raises:
        ValueError: The form or the aggregation is unknown, or the form does not fit the layer.
    """

    # What depends on the layer's geometry alone is that of the trained layer.
    _pad = DyConv2d._pad
    extra_repr = DyConv2d.extra_repr

    def __init__(
        self,
        source: DyConv2d,
        form: str = 'grouped',
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        aggregation: str = 'product',
    ) -> None:
        super().__init__()
        if aggregation not in AGGREGATIONS:
            raise ValueError(f'aggregation must be one of {AGGREGATIONS}, got {aggregation!r}.')
        if form not in FORMS or (form == 'product' and source.groups != 1):
            raise ValueError(f'form must be one of {FORMS}, "product" for groups=1, got {form!r}.')
        geometry = ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding', 'dilation', 'groups')
        for name in (*geometry, 'padding_mode', 'num_kernels'):
            setattr(self, name, getattr(source, name))
        self.form, self.aggregation = form, aggregation
        weight, bias, dtype = source.weight.detach().double(), source.bias, source.weight.dtype
        if scale is not None:
            weight = weight * scale.double()[:, None, None, None]
        if form == 'product':  # elements of the kernel outermost, as the copies of x are
            weight = weight.permute(0, 1, 3, 4, 2)
        # A runtime reads whole constants the fastest, and mixes matrices faster than anything of more dimensions.
        parts = (
            weight.flatten(2)
            .to(dtype)
            .split(1 if aggregation == 'sum' and form not in ('rule', 'mixed') else self.num_kernels)
        )
        self.bank = nn.ParameterList(nn.Parameter(part.contiguous(), requires_grad=False) for part in parts)
        self.register_buffer('bank_scale', None)
        self.register_buffer('squeeze_scale', None)
        if bias is not None:
            bias = bias.detach().double() * (1 if scale is None else scale.double())
            bias = (bias if shift is None else bias + shift.double()).to(dtype)
            shift = None
        self.register_buffer('bias', bias)
        self.register_buffer('static_bias', None if shift is None else shift.to(dtype))
        squeeze, excite, tau = source.attention.squeeze, source.attention.excite, source.attention.temperature.double()
        self.register_buffer('squeeze_weight', squeeze.weight.detach().clone())
        self.register_buffer('squeeze_bias', squeeze.bias.detach().clone())
        self.register_buffer('excite_weight', (excite.weight.detach().double() / tau).to(dtype))
        self.register_buffer('excite_bias', (excite.bias.detach().double() / tau).to(dtype))

    def attention(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, K)."""
        weight = self.squeeze_weight.to(x.dtype)
        weight = weight if self.squeeze_scale is None else weight * self.squeeze_scale
        hidden = F.linear(x.mean(dim=(2, 3)), weight, self.squeeze_bias).relu_()
        return torch.softmax(F.linear(hidden, self.excite_weight, self.excite_bias), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W), or one sample (C_in, H, W), to (B, C_out, H_out, W_out)."""
        if x.dim() == 3:
            return self(x.unsqueeze(0)).squeeze(0)
        attention = self.attention(x)  # (B, K)
        x, padding = self._pad(x)
        y = getattr(self, f'_{self.form}')(x, attention, padding)  # (B, C_out, H_out, W_out)
        if self.form in ('rule', 'grouped'):
            return y
        if self.bias is not None:
            return y + aggregate(attention, self.bias)[:, :, None, None].to(y.dtype)
        return y if self.static_bias is None or self.form == 'mixed' else y + self.static_bias[:, None, None]

    def _parts(self, dtype: torch.dtype) -> list[Tensor]:
        """The bank in the type that computes, not yet scaled."""
        return [part.to(dtype) for part in self.bank]

    def _kernels_of_all(self, dtype: torch.dtype) -> Tensor:
        """The bank (K, C_out, C_in / G * k * k) in the type that computes, where it is one tensor."""
        kernels = self._parts(dtype)[0]
        return kernels if self.bank_scale is None else kernels * self.bank_scale

    def _kernels(self, attention: Tensor) -> Tensor:
        """Maps attention weights (B, K) to each sample's kernel (B, C_out, C_in / G * k * k)."""
        parts = self._parts(attention.dtype)
        if len(parts) < self.num_kernels or self.aggregation == 'product':
            kernels = aggregate(attention, parts[0])
        else:
            shares = attention.unsqueeze(-1).split(1, dim=1)  # K times (B, 1, 1)
            kernels = sum(share * kernel for share, kernel in zip(shares, parts, strict=True))
        return kernels if self.bank_scale is None else kernels * self.bank_scale

    def _rule(self, x: Tensor, attention: Tensor, padding: tuple[int, int]) -> Tensor:
        """As the trained layer runs, a batch of one in fewer steps."""
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        geometry = Geometry(shape, self.stride, padding, self.dilation, self.groups)
        if x.shape[0] == 1:
            bias = self.static_bias if self.bias is None else aggregate(attention, self.bias)[0]
            return convolve_one(x, self._kernels(attention).view(shape), bias, geometry)
        bank = self._kernels_of_all(x.dtype).view(self.num_kernels, *shape)
        bias = self.bias if self.static_bias is None else self.static_bias.expand(self.num_kernels, -1)
        return convolve_mixture(x, attention, bank, bias, geometry)

    def _grouped(self, x: Tensor, attention: Tensor, padding: tuple[int, int]) -> Tensor:
        """All samples side by side as the channels of one, convolved with B * G groups."""
        batch = x.shape[0]
        weight = self._kernels(attention).flatten(0, 1)  # (B * C_out, C_in / G * k * k)
        weight = weight.reshape(-1, self.in_channels // self.groups, *self.kernel_size)
        # Within the convolution, so that runtimes fuse what follows it.
        bias = None if self.static_bias is None else self.static_bias.expand(batch, -1).flatten()
        if self.bias is not None:
            bias = aggregate(attention, self.bias).flatten()
        x = x.reshape(1, batch * self.in_channels, *x.shape[2:])
        y = F.conv2d(x, weight, bias, self.stride, padding, self.dilation, batch * self.groups)
        return y.reshape(batch, self.out_channels, *y.shape[2:])

    def _product(self, x: Tensor, attention: Tensor, padding: tuple[int, int]) -> Tensor:
        """A matrix product per sample, of the kernel and the part of x that each of its elements sees."""
        x = F.pad(x, (padding[1], padding[1], padding[0], padding[0])) if padding != (0, 0) else x
        (rows, columns), (step_y, step_x), (gap_y, gap_x) = self.kernel_size, self.stride, self.dilation
        height = (x.shape[2] - gap_y * (rows - 1) - 1) // step_y + 1
        width = (x.shape[3] - gap_x * (columns - 1) - 1) // step_x + 1
        seen = [
            x[:, :, top : top + step_y * (height - 1) + 1 : step_y, left : left + step_x * (width - 1) + 1 : step_x]
            for top in range(0, gap_y * rows, gap_y)
            for left in range(0, gap_x * columns, gap_x)
        ]
        seen = torch.cat(seen, dim=1) if len(seen) > 1 else seen[0]  # (B, k * k * C_in, H_out, W_out)
        matrices = self._kernels(attention)  # (B, C_out, k * k * C_in)
        return torch.bmm(matrices, seen.flatten(2)).unflatten(2, (height, width))

    def _mixed(self, x: Tensor, attention: Tensor, padding: tuple[int, int]) -> Tensor:
        """The mixture of K static convolutions' outputs, each with the static bias, since the attention sums to one."""
        y = 0
        kernels = self._kernels_of_all(x.dtype).unflatten(2, (self.in_channels // self.groups, *self.kernel_size))
        for index, kernel in enumerate(kernels):
            output = F.conv2d(x, kernel, self.static_bias, self.stride, padding, self.dilation, self.groups)
            y = y + attention[:, index, None, None, None] * output
        return y
