"""Convolution with mixed kernels in tiles, forward and backward, for CPUs.

A batch has B kernels where a static layer has one. Made all at once they fill memory that is new to the process and
far from the processor; for the last layers of a ResNet that takes longer than the convolution. Here only a tile of
them, some samples' or some output channels', exists at a time: mixed, used, and overwritten by the next. The backward
pass mixes them again. Either pass is one operator of PyTorch, so ``torch.compile`` takes it whole.
"""

from dataclasses import replace
from math import prod

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..forms import Geometry, branches, memory_format, without_autocast
from .tile_forms import TILINGS


def convolve_in_tiles(
    x: Tensor, attention: Tensor, bank: Tensor, bias: Tensor | None, geometry: Geometry, form: str
) -> Tensor:
    """As ``convolve_mixture``, for B > 0, attention in the bank's type and a mixed bias (B, C_out).

    The bank is mixed in its own type, then used in that of x, or of autocast. ``form`` is a key of ``TILINGS``;
    ``'by_channel'`` needs G = 1. The output is in the memory format of x.
    """
    g, layout = geometry, memory_format(x)
    if torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:  # autocast leaves float64 alone
        x = x.to(torch.get_autocast_dtype(x.device.type))
    if g.is_matmul:
        x, g = x[:, :, :: g.stride[0], :: g.stride[1]], replace(g, stride=(1, 1))
    x = x.contiguous(memory_format=layout)
    y = convolve_tiled(x, attention, bank, g.stride, g.padding, g.dilation, g.groups, form)
    return y if bias is None else y.add_(bias.to(y.dtype)[:, :, None, None])


_OPERANDS = 'Tensor x, Tensor attention, Tensor bank, int[] stride, int[] padding, int[] dilation, int groups, str form'


#: Of operators as PyTorch's own, not of ``torch.library.custom_op``, which imports the compiler at the first call.
_LIBRARY = torch.library.Library('dyconv_pose', 'FRAGMENT')
_LIBRARY.define(f'convolve_tiled({_OPERANDS}) -> Tensor')
_LIBRARY.define(f'convolve_tiled_backward(Tensor grad, {_OPERANDS}) -> (Tensor, Tensor, Tensor)')

#: The operator of :func:`convolve_in_tiles` for x in a dense memory format; it takes a geometry in its parts.
convolve_tiled = torch.ops.dyconv_pose.convolve_tiled.default


def _forward(x: Tensor, attention: Tensor, bank: Tensor, *arguments: object) -> Tensor:
    *parts, form = arguments
    geometry = Geometry(bank.shape[1:], *parts)
    y, tiles = _empty_output(x, geometry), TILINGS[form](x, geometry)
    with without_autocast(x.device.type):
        for samples, elements in tiles:
            weight = torch.mm(attention[samples], bank.flatten(1)[:, elements])
            tiles.convolve(samples, elements, weight.to(x.dtype), y)
    return y


def _backward(grad: Tensor, x: Tensor, attention: Tensor, bank: Tensor, *arguments: object) -> tuple[Tensor, ...]:
    """The gradients of x, attention and bank."""
    *parts, form = arguments
    flat, geometry = bank.flatten(1), Geometry(bank.shape[1:], *parts)
    attention_grad, bank_grad = torch.zeros_like(attention), torch.zeros_like(bank)
    flat_grad, tiles = bank_grad.flatten(1), TILINGS[form](x, geometry)
    with without_autocast(x.device.type):
        for samples, elements in tiles:
            weight = torch.mm(attention[samples], flat[:, elements]).to(x.dtype)
            weight_grad = tiles.backward(samples, elements, weight, grad).to(bank.dtype)
            flat_grad[:, elements].addmm_(attention[samples].t(), weight_grad)
            attention_grad[samples].addmm_(weight_grad, flat[:, elements].t())
    return tiles.x_grad, attention_grad, bank_grad


def _empty_output(x: Tensor, geometry: Geometry) -> Tensor:
    shape = x.shape[0], geometry.kernel_shape[0], *geometry.output_size(x)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format(x))


def _fake(x: Tensor, _: Tensor, bank: Tensor, *arguments: object) -> Tensor:
    return _empty_output(x, Geometry(bank.shape[1:], *arguments[:-1]))


def _fake_backward(_: Tensor, *inputs: object) -> tuple[Tensor, ...]:
    return tuple(torch.empty_like(tensor) for tensor in inputs[:3])


for _name, _function, _shapes in (
    ('convolve_tiled', _forward, _fake),
    ('convolve_tiled_backward', _backward, _fake_backward),
):
    _LIBRARY.impl(_name, _function, 'CPU')
    torch.library.register_fake(f'dyconv_pose::{_name}', _shapes, lib=_LIBRARY)


def _save(ctx: torch.autograd.function.FunctionCtx, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.arguments = inputs[3:]


def _differentiate(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, attention, bank = ctx.saved_tensors
    if torch.is_grad_enabled():  # this gradient is to be differentiated itself
        geometry = Geometry(bank.shape[1:], *ctx.arguments[:-1])
        y = branches(x, attention.to(x.dtype), bank.to(x.dtype), None, geometry)
        wanted = [tensor for tensor in (x, attention, bank) if tensor.requires_grad]
        gradients = iter(torch.autograd.grad(y, wanted, grad, create_graph=True))
        gradients = [next(gradients) if tensor.requires_grad else None for tensor in (x, attention, bank)]
    else:
        gradients = torch.ops.dyconv_pose.convolve_tiled_backward(grad, x, attention, bank, *ctx.arguments)
    return *gradients, *[None] * len(ctx.arguments)


torch.library.register_autograd('dyconv_pose::convolve_tiled', _differentiate, setup_context=_save, lib=_LIBRARY)


@register_flop_formula(torch.ops.dyconv_pose.convolve_tiled)
def _flops(x: torch.Size, attention: torch.Size, bank: torch.Size, *_: object, out_shape: torch.Size, **__) -> int:
    """Mixing takes K multiply-adds for each element of a sample's kernel, the convolution one for each place."""
    return 2 * attention[0] * prod(bank[1:]) * (bank[0] + prod(out_shape[2:]))


@register_flop_formula(torch.ops.dyconv_pose.convolve_tiled_backward)
def _backward_flops(grad: torch.Size, x: torch.Size, attention: torch.Size, bank: torch.Size, *_: object, **__) -> int:
    return 2 * attention[0] * prod(bank[1:]) * (3 * bank[0] + 2 * prod(grad[2:]))
