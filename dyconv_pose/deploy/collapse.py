"""Collapses dynamic layers: the mean kernel over a data set in place of each image's own. The inverse of a warm start.

The kernels are averaged, not the attention. Where kernels are linear in attention (``DyConv2d``, ``CondConv2d``,
``KernelWarehouse2d``, and ``DCDConv2d`` up to a constant) it is the same: the mean kernel is the kernel of the mean
attention. ``ODConv2d`` multiplies attention along the axes of a kernel, and a mean of products is no product of means.

Shape letters: B batch, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from dyconv_pose.layers import Conv2dSame, DynamicConv2d, dynamic_layers

#: Fewer images than this say little of a data set.
FEW_IMAGES = 100


@dataclass(frozen=True)
class MeanKernel:
    """The mean of the kernels that images make in one dynamic layer."""

    weight: Tensor  # (C_out, C_in / G, k, k) float64
    bias: Tensor | None  # (C_out,) float64
    variation: float  # root mean square distance of an image's kernel from the mean, over the norm of the mean


@torch.no_grad()
def mean_kernels(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, MeanKernel]:
    """Averages the kernels of a network's dynamic layers, by name, over images, in evaluation mode.

    ``batches`` are its inputs, such as (B, 3, H, W), normalised as in training. Fewer than 100 images raise a warning,
    none at all, or a network without a dynamic layer, a ValueError.
    """
    network, totals, images = copy.deepcopy(network), {}, 0
    network.eval()

    def add(name: str, layer: DynamicConv2d, attention_module: nn.Module, inputs: tuple, attention: object) -> None:
        (weight, bias), size, before = layer.kernels(attention), len(inputs[0]), totals.get(name, (0, 0, 0, 0))
        means = [0 if one is None else one.mean(dim=0, dtype=torch.float64) for one in (weight, bias)]
        square = torch.linalg.vector_norm(weight, dtype=torch.float64).square() / len(weight)
        totals[name] = [old + size * new for old, new in zip(before, (1, *means, square), strict=True)]

    for name, layer in _layers(network).items():
        layer.attention.register_forward_hook(partial(add, name, layer))
    for batch in batches:
        images += len(batch)
        network(batch)
    if not images:
        raise ValueError('Mean kernels are measured on images, and there are none: pass batches of inputs.')
    if images < FEW_IMAGES:
        warnings.warn(f'{images} images say little of a data set: measure on {FEW_IMAGES} or more.', stacklevel=3)
    means = {}
    for name, (count, weight, bias, square) in totals.items():
        weight, bias = weight / count, bias / count if isinstance(bias, Tensor) else None
        norm = weight.square().sum()
        variation = float(((square / count - norm).clamp(min=0) / norm.clamp(min=1e-300)).sqrt())
        means[name] = MeanKernel(weight, bias, variation)
    return means


def to_static(
    network: nn.Module,
    attention: str | Mapping[str, MeanKernel] = 'mean',
    batches: Iterable[Tensor] = (),
    layers: Sequence[str] | None = None,
) -> nn.Module:
    """Puts ordinary convolutions with the mean kernels in place of dynamic layers.

    Args:
        network: Any network with dynamic layers; it is left as it is.
        attention: ``'mean'`` over the ``batches``, or what :func:`mean_kernels` returned.
        batches: As in :func:`mean_kernels`, as are errors.
        layers: Names of the layers to collapse; by default all that the images reached. A ValueError is raised where
            layers that share cells are not collapsed together.

    Returns:
        A copy of the network, whose parameters are those of the static network where all layers are collapsed.
    """
    if isinstance(attention, str) and attention != 'mean':
        raise ValueError(f"attention must be 'mean' or what mean_kernels returned, got {attention!r}.")
    means = mean_kernels(network, batches) if attention == 'mean' else attention
    holder = nn.Sequential(copy.deepcopy(network))  # so that a layer that is itself the network can be replaced
    dynamic = _layers(holder[0])
    made = {dynamic[name]: _static(dynamic[name], means[name]) for name in (means if layers is None else layers)}
    if not {member for layer in made for member in getattr(layer, 'members', ())} <= made.keys():
        raise ValueError('Layers of a warehouse share their cells and are collapsed together: collapse them all.')
    for name, layer in list(holder.named_modules(remove_duplicate=False)):
        if layer in made:
            parent, _, child = name.rpartition('.')
            setattr(holder.get_submodule(parent), child, made[layer])
    return holder[0]


def _layers(network: nn.Module) -> dict[str, DynamicConv2d]:
    if layers := dict(dynamic_layers(network)):
        return layers
    raise ValueError(f'Only dynamic layers can be collapsed, {type(network).__name__} has none: export it as it is.')


def _static(layer: DynamicConv2d, mean: MeanKernel) -> nn.Conv2d:
    kind = Conv2dSame if layer.padding == 'same' and layer.stride != (1, 1) else nn.Conv2d
    geometry = layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation
    conv = kind(*geometry, layer.groups, mean.bias is not None, layer.padding_mode).to(layer.weight)
    conv.load_state_dict({name: one for name in ('weight', 'bias') if (one := getattr(mean, name)) is not None})
    return conv.requires_grad_(layer.weight.requires_grad).train(layer.training)
