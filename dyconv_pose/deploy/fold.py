"""Turns a trained network into the one that is deployed: folded, frozen, in forms that a purpose needs, in fewer bits.

The scale of a normalisation that follows a dynamic layer goes into each of the K kernels, its shift becomes one static
bias::

    s * (W(x) * x + b(x)) + t  =  (sum_k pi_k s W_k) * x + sum_k pi_k s b_k + t

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

import copy
from itertools import pairwise

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import register_parametrization

from dyconv_pose.engine.speed import PLAIN_CONVS, use_channels_last
from dyconv_pose.layers import DynamicConv2d, aggregate
from dyconv_pose.layers.base import scale_and_shift
from dyconv_pose.layers.dynamic_conv import convolve_mixture
from dyconv_pose.layers.forms import branches, choose_form, is_single, padded, single

#: What networks are deployed for: ``torch`` to stay in torch, ``torch.compile`` included; ``any_batch`` for export to a
#: graph with a free batch size; ``batch_1`` for export to a graph that takes batches of one, where kernels are mixed as
#: a sum: measured, the quickest in OpenVINO (benchmarks/README.md).
PURPOSES = ('torch', 'any_batch', 'batch_1')

#: How weights are stored; they compute in the type of the features all the same.
STORAGES = ('float32', 'float16', 'int8')


class DeployedConv2d(nn.Module):
    """A dynamic convolution that only runs, in the forms of the trained one: ``scale * source(x) + shift``.

    ``bank`` are the K kernels, one tensor each (1, C_out, C_in / G * k * k) where they are ``split``, to be mixed as a
    sum, else all in one (K, ...), to be mixed as a product of matrices; ``bank_scale`` (C_out, 1) multiplies those that
    are stored as integers. ``bias`` is (K, C_out), ``static_bias`` (1, C_out); where there is none they are ``None``.
    """

    extra_repr = DynamicConv2d.extra_repr
    kernel_attention = property(lambda self: self.attention)

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
        self.register_buffer('static_bias', None if shift is None else shift[None].to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W), or one sample (C_in, H, W), to (B, C_out, H_out, W_out)."""
        if x.dim() == 3:
            return self(x.unsqueeze(0)).squeeze(0)
        attention = self.attention(x)  # (B, K)
        x, geometry = padded(self, x)
        parts = [part.to(x.dtype) for part in self.bank]
        if not (is_single(x) and len(x)):
            bank = self._scaled(torch.cat(parts) if len(parts) > 1 else parts[0]).view(-1, *geometry.kernel_shape)
            if choose_form(x, geometry) == 'branches':
                shift = None if self.static_bias is None else self.static_bias[0]
                return branches(x, attention, bank, self.bias, geometry, shift)
            y = convolve_mixture(x, attention, bank, self.bias, geometry)
            return y if self.static_bias is None else y.add_(self.static_bias[..., None, None])
        if len(parts) == 1:
            kernel = aggregate(attention, parts[0])
        else:
            shares = attention.unsqueeze(-1).split(1, dim=1)  # K times (1, 1, 1)
            kernel = sum(share * part for share, part in zip(shares, parts, strict=True))
        biases = [self.static_bias, None if self.bias is None else aggregate(attention, self.bias)]
        bias = sum(one for one in biases if one is not None) if biases != [None, None] else None
        return single(x, self._scaled(kernel).view(1, *geometry.kernel_shape), bias, geometry)

    def _scaled(self, kernels: Tensor) -> Tensor:
        return kernels if self.bank_scale is None else kernels * self.bank_scale


def to_deploy(model: nn.Module, purpose: str = 'torch') -> nn.Module:
    """Folds batch normalisation and temperatures into the convolutions, exactly, and freezes the rest.

    A dynamic layer whose kernels are no mixture of its bank stays as it is, as does what follows it, unless the layer
    takes it in (``DynamicConv2d.folded``); a grouped transposed convolution keeps its normalisation, too.

    It returns a copy of the model (a backbone, a head or a whole estimator) in evaluation mode, without gradients; in
    channels_last where it stays in torch. A ValueError is raised for a purpose that is not in :data:`PURPOSES`.
    """
    if purpose not in PURPOSES:
        raise ValueError(f'purpose must be one of {PURPOSES}, got {purpose!r}.')
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # not in the line above: the backbones of MMPose return None
    holder = nn.Sequential(model)  # so that a layer that is itself the model can be replaced
    _fold_within(holder, purpose == 'batch_1')
    if purpose == 'torch':  # PyTorch follows the layout of the kernels
        use_channels_last(holder)
    return holder[0]


def _fold_within(parent: nn.Module, split: bool) -> None:
    """Replaces the convolutions of a module, and of all modules in it, and the normalisations that follow them.

    A normalisation follows a convolution if it is the next child of the same module, which is how MMPose's blocks
    and PyTorch's ``nn.Sequential`` are made. One that follows nothing stays, and is right as it is.
    """
    children = [*parent.named_children(), ('', None)]
    ordered = not isinstance(parent, ConvModule) or parent.order.index('norm') == parent.order.index('conv') + 1
    for (name, child), (next_name, follower) in pairwise(children):
        is_dynamic = isinstance(child, DynamicConv2d)
        if not is_dynamic and type(child) not in PLAIN_CONVS:
            _fold_within(child, split)
            continue
        affine = _scale_and_shift(child, follower) if ordered else ()
        if is_dynamic:
            new = DeployedConv2d(child, *affine, split=split) if child.is_mixture else affine and child.folded(*affine)
        else:
            new = affine and fuse_conv_bn_eval(child, follower, isinstance(child, nn.ConvTranspose2d))
        if new:
            parent._modules[name] = new
            if affine:
                parent._modules[next_name] = nn.Identity()


def _scale_and_shift(conv: nn.Module, norm: nn.Module | None) -> tuple[Tensor, ...]:
    """What a normalisation multiplies the convolution's output with and then adds, (C_out,) each, in float64.

    Nothing for any other module, and for a subclass, which may apply an activation too.
    """
    if not isinstance(norm, _BatchNorm) or type(norm).forward not in (_BatchNorm.forward, nn.SyncBatchNorm.forward):
        return ()
    splits_outputs = isinstance(conv, nn.ConvTranspose2d) and conv.groups > 1  # which PyTorch does not fold
    if splits_outputs or norm.running_mean is None or norm.num_features != conv.out_channels:
        return ()
    return scale_and_shift(norm, torch.float64)


class Widened(nn.Module):
    """What a layer computes with where its weight is stored in fewer bits: the weight times a scale in full bits."""

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer('scale', scale)

    def forward(self, weight: Tensor) -> Tensor:
        """Maps the stored weight to the one that computes, in the type of the scale."""
        return weight * self.scale


def stored(weight: Tensor, storage: str, axis: int) -> tuple[Tensor, Tensor | None]:
    """A weight in one of :data:`STORAGES`, and its scale: for int8 one for each slice of the axis, else ``None``."""
    if storage != 'int8':
        return weight.to(getattr(torch, storage)), None
    others = [dim for dim in range(weight.dim()) if dim != axis]
    scale = weight.abs().amax(dim=others, keepdim=True).clamp(min=1e-12) / 127
    return (weight / scale).round().to(torch.int8), scale


def store_bank(layer: DeployedConv2d, storage: str) -> None:
    """Stores the kernels of one dynamic layer, in place; they share their scale, by which a mixture is multiplied."""
    bank, scale = stored(torch.cat(list(layer.bank)), storage, axis=1)
    parts = bank.split(len(layer.bank[0]))
    layer.bank = nn.ParameterList(nn.Parameter(part.clone(), requires_grad=False) for part in parts)
    layer.bank_scale = None if scale is None else scale[0]


@torch.no_grad()
def store_weights(model: nn.Module, storage: str) -> nn.Module:
    """Stores the weights of what :func:`~dyconv_pose.deploy.to_deploy` made in fewer bits, in place, and returns it.

    Those are the kernel banks, the static convolutions, and all linear layers of an attention but the last. Biases and
    the attention's last layers, which are few, stay. A ValueError is raised for a storage not in :data:`STORAGES`.
    """
    if storage not in STORAGES:
        raise ValueError(f'Weights must be stored in one of {", ".join(STORAGES)}, got {storage!r}.')
    chosen = []
    for module in model.modules() if storage != 'float32' else ():
        if isinstance(module, DeployedConv2d):
            store_bank(module, storage)
            chosen += [layer for layer in module.attention.modules() if isinstance(layer, nn.Linear)][:-1]
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            chosen.append(module)
    for layer in chosen:
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # that of the output channels of a group
        weight, scale = stored(layer.weight, storage, axis)
        widened = Widened(layer.weight.new_ones(1) if scale is None else scale)
        layer.weight = nn.Parameter(weight, requires_grad=False)
        register_parametrization(layer, 'weight', widened, unsafe=True)  # which may change the type
    return model
