"""Turns a trained network into the one that is deployed: folded, frozen, and in forms that a purpose needs."""

import copy

from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dyconv_pose.layers import DyConv2d

from .layers import DeployedDyConv2d

#: What a network can be deployed for: to run in torch; to be exported for any batch size; or for batches of one.
TARGETS = ('torch', 'any_batch', 'batch_1')

_STATIC = (nn.Conv2d, nn.ConvTranspose2d)


class PoseNetwork(nn.Module):
    """A pose estimator of MMPose as a plain function from input to heatmaps.

    Args:
        model: The estimator, with a backbone and a head.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
        self.neck = model.neck if getattr(model, 'with_neck', False) else None

    def forward(self, batch: Tensor) -> Tensor:
        """Maps input (B, 3, H, W) to heatmaps (B, keypoints, h, w)."""
        features = self.backbone(batch)
        return self.head(features if self.neck is None else self.neck(features))


def to_deploy(model: nn.Module, target: str = 'torch') -> nn.Module:
    """Folds batch normalisation and temperatures into the convolutions, exactly, and freezes the rest.

    Args:
        model: A backbone, a head or a whole estimator, static or dynamic; left as it is.
        target: ``'torch'`` to stay in torch, ``torch.compile`` included; ``'any_batch'`` for export to a graph with
            a free batch size; ``'batch_1'`` for export to a graph that takes batches of one.

    Returns:
        A copy of the same class in evaluation mode, without gradients, that computes the same function.

    Raises:
        ValueError: The target is unknown.
    """
    if target not in TARGETS:
        raise ValueError(f'target must be one of {TARGETS}, got {target!r}.')
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # not in the line above: the backbones of MMPose return None
    holder = nn.Sequential(model)  # so that a layer that is itself the model can be replaced
    _fold_within(holder, target)
    return holder[0]


def form_for(layer: DyConv2d, target: str) -> str:
    """The form of :data:`~dyconv_pose.deploy.layers.FORMS` in which a layer runs.

    A pointwise layer is a matrix product everywhere. Where the batch size is free, a graph cannot have B * G groups:
    a dense layer is then a product of shifted copies, and a grouped one mixes the outputs of its kernels.
    """
    is_pointwise = layer.kernel_size == (1, 1) and layer.groups == 1
    if target == 'any_batch':
        return 'product' if layer.groups == 1 else 'mixed'
    return 'product' if is_pointwise and target == 'torch' else 'grouped'


def _fold_within(parent: nn.Module, target: str) -> None:
    """Replaces the convolutions of a module, and of all modules in it, and the normalisations that follow them.

    A normalisation follows a convolution if it is the next child of the same module, which is how MMPose's blocks
    and PyTorch's ``nn.Sequential`` are made. One that follows nothing stays, and is right as it is.
    """
    previous = None
    foldable = not isinstance(parent, ConvModule) or parent.order.index('norm') == parent.order.index('conv') + 1
    for name, child in list(parent.named_children()):
        if isinstance(child, _BatchNorm) and previous is not None and _can_fold(previous[1], child):
            parent._modules[previous[0]] = _deployed(previous[1], target, *_scale_and_shift(child))
            parent._modules[name] = nn.Identity()
            previous = None
            continue
        if previous is not None:
            parent._modules[previous[0]] = _deployed(previous[1], target)
        previous = (name, child) if isinstance(child, (DyConv2d, *_STATIC)) and foldable else None
        if previous is None:
            if isinstance(child, DyConv2d):
                parent._modules[name] = _deployed(child, target)
            else:
                _fold_within(child, target)
    if previous is not None:
        parent._modules[previous[0]] = _deployed(previous[1], target)


def _can_fold(conv: nn.Module, norm: _BatchNorm) -> bool:
    return norm.running_mean is not None and norm.num_features == conv.out_channels


def _scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """What a normalisation multiplies with and then adds, (C,) each, in float64."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    return scale, shift if norm.bias is None else shift + norm.bias.double()


def _deployed(conv: nn.Module, target: str, scale: Tensor | None = None, shift: Tensor | None = None) -> nn.Module:
    """The layer that computes ``scale * conv(x) + shift``."""
    if isinstance(conv, DyConv2d):
        return DeployedDyConv2d(conv, form_for(conv, target), scale, shift)
    if scale is None:
        return conv
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


def store_banks_in_half(model: nn.Module) -> nn.Module:
    """Stores the kernel banks of a deployed network in float16, in place; they are computed with as before."""
    for layer in model.modules():
        if isinstance(layer, DeployedDyConv2d):
            layer.bank = layer.bank.half()
    return model
