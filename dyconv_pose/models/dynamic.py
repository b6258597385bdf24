"""Dynamic layers in MMPose's networks: built static, then converted, so that nothing of a network is copied.

``paramwise_cfg`` holds for them as for static ones. Their start from static checkpoints is :mod:`.warm_start`.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from inspect import signature
from typing import ClassVar

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmpose.engine.optim_wrappers import ForceDefaultOptimWrapperConstructor
from mmpose.registry import MODELS
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS as POSE_CONSTRUCTORS
from torch import nn

from dyconv_pose import layers
from dyconv_pose.layers import DynamicConv2d, make_dynamic
from dyconv_pose.layers.convert import KINDS

# In the root registry a layer is found from any scope: conv_cfg=dict(type='DyConv2d').
for _name in ('CondConv2d', 'Conv2dSame', 'DCDConv2d', 'DyConv2d', 'KernelWarehouse2d', 'ODConv2d'):
    ROOT_MODELS.register_module(module=getattr(layers, _name))


@MODELS.register_module()
def dynamic(
    network: dict,
    conv_cfg: dict,
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
    init_cfg: dict | list[dict] | None = None,
) -> nn.Module:
    """Builds any registered network and makes it dynamic: ``backbone=dict(type='dynamic', network=dict(...), ...)``.

    Where the network's ``init_cfg`` names a static checkpoint, it starts by computing what the static network does.
    An ``init_weights`` that looks for ``nn.Conv2d``, such as ShuffleNet's and FPN's, does not find the new layers.

    Args:
        network: The config of the static network, whose checkpoint keys do not change.
        conv_cfg: The layer and its own arguments, such as ``dict(type='DyConv2d', num_kernels=4)``.
        include: As in :func:`~dyconv_pose.layers.make_dynamic`; by default all convolutions, the first too.
        exclude: As there.
        kinds: As there.
        init_cfg: Takes the place of the network's own.
    """
    built = MODELS.build(network if init_cfg is None else {**network, 'init_cfg': init_cfg})
    make_dynamic(built, conv_cfg, include=include, exclude=exclude, kinds=kinds)
    return built


class DynamicMixin:
    """Gives a network of MMPose the arguments ``conv_cfg``, ``dynamic_convs`` and ``dynamic_kinds``, all by name.

    ``conv_cfg`` is the layer that takes the place of its convolutions, ``None`` the static network itself;
    ``dynamic_convs``, patterns over layer names, and ``dynamic_kinds``, as in ``make_dynamic``, narrow the rule.
    """

    default_conv_cfg: ClassVar[dict | None] = None
    static_convs: tuple[str, ...] = ()  # patterns over the names of those that stay static

    def __init__(
        self,
        *args: object,
        dynamic_convs: Sequence[str] = ('*',),
        dynamic_kinds: Sequence[str] = KINDS,
        **kwargs: object,
    ) -> None:
        given = list(signature(super().__init__).parameters)[: len(args)]  # names of the arguments by position
        if 'conv_cfg' in given:
            place = given.index('conv_cfg')
            conv_cfg, args = args[place], (*args[:place], None, *args[place + 1 :])
        else:
            conv_cfg = kwargs.pop('conv_cfg', self.default_conv_cfg)
        super().__init__(*args, **kwargs)
        if conv_cfg is not None:
            names = [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]
            static = [pattern for pattern in self.static_convs if any(fnmatchcase(name, pattern) for name in names)]
            make_dynamic(self, conv_cfg, include=dynamic_convs, exclude=static, kinds=dynamic_kinds)


class _SeesDynamicLayers:
    """Lets ``dwconv_decay_mult`` and ``flat_decay_mult`` do to a dynamic layer what they do to a static one.

    MMEngine looks for ``nn.Conv2d`` and for parameters of one dimension.
    """

    def add_params(self, params: list[dict], module: nn.Module, *args: object, **kwargs: object) -> None:
        """Adds a group for each parameter of a module."""
        if not isinstance(module, DynamicConv2d):
            super().add_params(params, module, *args, **kwargs)
            return
        static, first = nn.Conv2d.__new__(nn.Conv2d), len(params)
        static.__dict__ = module.__dict__  # the same parameters and geometry
        super().add_params(params, static, *args, **kwargs)
        flat = self.paramwise_cfg.get('flat_decay_mult')
        for group in params[first:]:
            if group['params'][0] is module.bias and flat is not None and self.base_wd is not None:
                group.setdefault('weight_decay', self.base_wd * flat)  # where no other rule has set it


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(name=DefaultOptimWrapperConstructor.__name__, force=True)
class DynamicOptimWrapperConstructor(_SeesDynamicLayers, DefaultOptimWrapperConstructor):
    """MMEngine's default constructor, in whose place it is registered."""


@POSE_CONSTRUCTORS.register_module(name=ForceDefaultOptimWrapperConstructor.__name__, force=True)
class DynamicForceOptimWrapperConstructor(_SeesDynamicLayers, ForceDefaultOptimWrapperConstructor):
    """MMPose's constructor that keeps the default settings beside custom ones, likewise."""
