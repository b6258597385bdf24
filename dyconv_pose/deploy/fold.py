"""Turns a trained network into the one that is deployed: folded, frozen, and in forms that a purpose needs."""

import copy
from dataclasses import dataclass

from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dyconv_pose.engine.memory_format import PLAIN_CONVS, use_channels_last
from dyconv_pose.layers import DyConv2d

from .layers import DeployedDyConv2d


@dataclass(frozen=True)
class Plan:
    """In which form each kind of dynamic layer runs; see :class:`~dyconv_pose.deploy.layers.DeployedDyConv2d`.

    Attributes:
        pointwise: The form of 1x1 layers without groups.
        dense: The form of larger layers without groups.
        grouped: The form of layers with groups, depthwise ones among them.
        aggregation: How kernels are mixed.
    """

    pointwise: str
    dense: str
    grouped: str
    aggregation: str = 'product'

    def form_for(self, layer: DyConv2d) -> str:
        """The form of a layer."""
        if layer.groups > 1:
            return self.grouped
        return self.pointwise if layer.kernel_size == (1, 1) else self.dense


#: Plans by purpose. In torch a layer runs as the trained one does. A graph for batches of one convolves with computed
#: kernels. One with a free batch size cannot: there a dense layer is a product of shifted copies, and a grouped one
#: mixes its kernels' outputs.
PLANS = {
    'torch': Plan('rule', 'rule', 'rule'),
    'any_batch': Plan('product', 'product', 'mixed'),
    # Measured: the quickest in OpenVINO, which runs computed kernels well; see benchmarks/README.md.
    'batch_1': Plan('grouped', 'grouped', 'grouped', 'sum'),
}


def to_deploy(model: nn.Module, plan: str | Plan = 'torch') -> nn.Module:
    """Folds batch normalisation and temperatures into the convolutions, exactly, and freezes the rest.

    Args:
        model: A backbone, a head or a whole estimator, static or dynamic; left as it is.
        plan: ``'torch'`` to stay in torch, ``torch.compile`` included; ``'any_batch'`` for export to a graph with a
            free batch size; ``'batch_1'`` for export to a graph that takes batches of one; or a plan of one's own.

    Returns:
        A copy of the same class in evaluation mode, without gradients, that computes the same function; in
        channels_last where it stays in torch.

    Raises:
        ValueError: The plan is unknown, or gives a layer a form that does not fit it.
    """
    if isinstance(plan, str) and plan not in PLANS:
        raise ValueError(f'plan must be one of {tuple(PLANS)} or a Plan, got {plan!r}.')
    plan = PLANS[plan] if isinstance(plan, str) else plan
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # not in the line above: the backbones of MMPose return None
    holder = nn.Sequential(model)  # so that a layer that is itself the model can be replaced
    _fold_within(holder, plan)
    if plan == PLANS['torch']:  # PyTorch follows the layout of the kernels
        use_channels_last(holder)
    return holder[0]


def _fold_within(parent: nn.Module, plan: Plan) -> None:
    """Replaces the convolutions of a module, and of all modules in it, and the normalisations that follow them.

    A normalisation follows a convolution if it is the next child of the same module, which is how MMPose's blocks
    and PyTorch's ``nn.Sequential`` are made. One that follows nothing stays, and is right as it is.
    """
    previous = None
    foldable = not isinstance(parent, ConvModule) or parent.order.index('norm') == parent.order.index('conv') + 1
    for name, child in list(parent.named_children()):
        if isinstance(child, _BatchNorm) and previous is not None and _can_fold(previous[1], child):
            parent._modules[previous[0]] = _deployed(previous[1], plan, *_scale_and_shift(child))
            parent._modules[name] = nn.Identity()
            previous = None
            continue
        if previous is not None:
            parent._modules[previous[0]] = _deployed(previous[1], plan)
        is_conv = isinstance(child, DyConv2d) or type(child) in PLAIN_CONVS
        previous = (name, child) if is_conv and foldable else None
        if previous is None:
            if isinstance(child, DyConv2d):
                parent._modules[name] = _deployed(child, plan)
            else:
                _fold_within(child, plan)
    if previous is not None:
        parent._modules[previous[0]] = _deployed(previous[1], plan)


def _can_fold(conv: nn.Module, norm: _BatchNorm) -> bool:
    return norm.running_mean is not None and norm.num_features == conv.out_channels


def _scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """What a normalisation multiplies with and then adds, (C,) each, in float64."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    return scale, shift if norm.bias is None else shift + norm.bias.double()


def _deployed(conv: nn.Module, plan: Plan, scale: Tensor | None = None, shift: Tensor | None = None) -> nn.Module:
    """The layer that computes ``scale * conv(x) + shift``."""
    if isinstance(conv, DyConv2d):
        return DeployedDyConv2d(conv, plan.form_for(conv), scale, shift, plan.aggregation)
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
