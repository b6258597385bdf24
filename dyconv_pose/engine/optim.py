"""``paramwise_cfg`` for networks with dynamic layers."""

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmpose.engine.optim_wrappers import ForceDefaultOptimWrapperConstructor
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS as POSE_CONSTRUCTORS
from torch import nn

from dyconv_pose.layers import DynamicConv2d


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
