"""Turns a trained network into the one that is deployed: folded, frozen, and in forms that a purpose needs."""

import copy
from itertools import pairwise

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dyconv_pose.engine.memory_format import PLAIN_CONVS, use_channels_last
from dyconv_pose.layers import DynamicConv2d
from dyconv_pose.layers.base import scale_and_shift

from .layers import DeployedConv2d

#: What networks are deployed for: ``torch`` to stay in torch, ``torch.compile`` included; ``any_batch`` for export to a
#: graph with a free batch size; ``batch_1`` for export to a graph that takes batches of one, where kernels are mixed as
#: a sum: measured, the quickest in OpenVINO (benchmarks/README.md).
PURPOSES = ('torch', 'any_batch', 'batch_1')


def to_deploy(model: nn.Module, purpose: str = 'torch') -> nn.Module:
    """Folds batch normalisation and temperatures into the convolutions, exactly, and freezes the rest.

    A dynamic layer whose kernels are no mixture of its bank stays as it is, as does what follows it, unless the layer
    takes it in (``DynamicConv2d.folded``).

    Returns:
        A copy of the model (a backbone, a head or a whole estimator) in evaluation mode, without gradients, that
        computes the same function; in channels_last where it stays in torch.

    Raises:
        ValueError: The purpose is not in :data:`PURPOSES`.
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
    double = torch.float64
    children = [*parent.named_children(), ('', None)]
    ordered = not isinstance(parent, ConvModule) or parent.order.index('norm') == parent.order.index('conv') + 1
    for (name, child), (next_name, follower) in pairwise(children):
        if not (type(child) in PLAIN_CONVS or (isinstance(child, DynamicConv2d) and child.is_mixture)):
            if not isinstance(child, DynamicConv2d):
                _fold_within(child, split)
            elif ordered and _can_fold(child, follower) and (new := child.folded(*scale_and_shift(follower, double))):
                parent._modules[name], parent._modules[next_name] = new, nn.Identity()
        elif ordered and _can_fold(child, follower):
            parent._modules[name] = _deployed(child, split, *scale_and_shift(follower, double))
            parent._modules[next_name] = nn.Identity()
        else:
            parent._modules[name] = _deployed(child, split)


def _can_fold(conv: nn.Module, norm: nn.Module | None) -> bool:
    """Whether a module is a scale and a shift of a convolution's output; a subclass may apply an activation too."""
    if not isinstance(norm, _BatchNorm) or type(norm).forward not in (_BatchNorm.forward, nn.SyncBatchNorm.forward):
        return False
    return norm.running_mean is not None and norm.num_features == conv.out_channels


def _deployed(conv: nn.Module, split: bool, scale: Tensor | None = None, shift: Tensor | None = None) -> nn.Module:
    """The layer that computes ``scale * conv(x) + shift``."""
    if isinstance(conv, DynamicConv2d):
        return DeployedConv2d(conv, scale, shift, split)
    if scale is None:
        return conv
    conv = copy.copy(conv)  # one that stands in several places may be followed by a normalisation in each
    conv._parameters = dict(conv._parameters)
    dtype, weight = conv.weight.dtype, conv.weight.double()
    if isinstance(conv, nn.ConvTranspose2d):  # (C_in, C_out / G, k, k): output channels are split among the groups
        per_group = scale.reshape(conv.groups, 1, -1, 1, 1)
        weight = (weight.unflatten(0, (conv.groups, -1)) * per_group).flatten(0, 1)
    else:
        weight = weight * scale[:, None, None, None]
    bias = shift if conv.bias is None else shift + conv.bias.double() * scale
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return conv
