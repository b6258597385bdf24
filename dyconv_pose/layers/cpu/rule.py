"""The ways to convolve every sample of a batch with its own mixture of kernels, and the rule that picks one.

All forms are the same function. They differ in speed, in memory, and in what a compiler or exporter can do with
them. ``benchmarks/layer_cost.py`` measures them, and the rule is what its tables say (docs/operator.md).

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from .geometry import Geometry
from .per_sample import aggregate, branches, grouped, product, single
from .tiles import convolve_tiled

#: ``single``: a batch of one (or none) is an ordinary convolution.
#: ``product``: a pointwise kernel is a matrix product for each sample.
#: ``grouped``: one convolution with B * G groups.
#: ``by_sample`` and ``by_channel``: in tiles, as one operator; see :mod:`~dyconv_pose.layers.tiles`.
#: ``branches``: the mixture of the outputs of K static convolutions.
FORMS = ('single', 'product', 'grouped', 'by_sample', 'by_channel', 'branches')

#: Positions of an output up to which dense kernels are so much larger than the features that they are to be read once.
_SMALL_MAP = 64

_forced: str | None = None


def choose_form(x: Tensor, geometry: Geometry) -> str:
    """The form that suits features x (B, C_in, H, W) and a convolution best.

    The rule: a batch of one is an ordinary convolution. On a CPU kernels are mixed in tiles: by output channels where
    the layer is a matrix product, as pointwise layers are and dense layers on small maps had better be; by samples
    otherwise. On other devices, and in a graph that is exported, which must be of PyTorch's own operators, pointwise
    layers are a batched matrix product and all others are grouped.
    """
    if x.shape[0] <= 1:
        return 'single'
    if _forced is not None and _fits(_forced, geometry):
        return _forced
    if x.device.type != 'cpu' or torch.compiler.is_exporting():
        return 'product' if geometry.is_product else 'grouped'
    height, width = geometry.output_size(x)
    small = geometry.groups == 1 and height * width <= _SMALL_MAP
    return 'by_channel' if geometry.is_product or small else 'by_sample'


def _fits(form: str, geometry: Geometry) -> bool:
    if form == 'single':
        return False
    if form == 'product':
        return geometry.is_product
    return form != 'by_channel' or geometry.groups == 1


@contextmanager
def forced_form(form: str | None) -> Iterator[None]:
    """Within it, convolutions of batches run in one form where that fits them: for experiments and tests.

    Args:
        form: One of :data:`FORMS`; ``None`` for the rule.

    Raises:
        ValueError: There is no such form.
    """
    global _forced
    if form is not None and form not in FORMS:
        raise ValueError(f'A form of dynamic convolution must be one of {FORMS}, got {form!r}.')
    before, _forced = _forced, form
    try:
        yield
    finally:
        _forced = before


def convolve_mixture(x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolves sample b of x with the kernel ``sum_k attention[b, k] * bank[k]``.

    Args:
        x: (B, C_in, H, W).
        attention: (B, K).
        bank: (K, C_out, C_in / G, k, k).
        bias: (K, C_out), mixed as the kernels are, or ``None``.
        geometry: Stride, padding, dilation and groups.

    Returns:
        (B, C_out, H_out, W_out), in the type of x or of autocast.
    """
    form, attention = choose_form(x, geometry), attention.to(bank.dtype)
    if form == 'branches':
        return branches(x, attention, bank, bias, geometry)
    mixed_bias = None if bias is None else aggregate(attention, bias)  # (B, C_out)
    if form in ('by_sample', 'by_channel'):
        if torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:  # autocast leaves float64 alone
            x = x.to(torch.get_autocast_dtype(x.device.type))
        g = geometry
        y = convolve_tiled(x, attention, bank, g.stride, g.padding, g.dilation, g.groups, form)
        return y if mixed_bias is None else y.add_(mixed_bias.to(y.dtype)[:, :, None, None])
    weight = aggregate(attention, bank)  # (B, C_out, C_in / G, k, k)
    return {'single': single, 'product': product, 'grouped': grouped}[form](x, weight, mixed_bias, geometry)
