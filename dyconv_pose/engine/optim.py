"""Optimisation: mixed precision on a CPU, and ``paramwise_cfg`` for dynamic layers."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from mmengine.model import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmpose.engine.optim_wrappers import ForceDefaultOptimWrapperConstructor
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS as POSE_CONSTRUCTORS
from mmpose.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from dyconv_pose.layers import DynamicConv2d


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper with the forward pass in bfloat16, which has float32's range: the loss needs no scaling.

    MMEngine's AmpOptimWrapper refuses to be built on a CPU. What the head computes is handed on in float32: MMPose
    computes the training accuracy with NumPy, which has no bfloat16.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass."""
        head = getattr(model.module if is_model_wrapper(model) else model, 'head', None)
        compute = getattr(head, 'forward', None)

        def forward(*args: object, **kwargs: object) -> object:
            return _in_float32(compute(*args, **kwargs))

        outputs = patch.object(head, 'forward', forward) if compute else nullcontext()
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16), outputs:
            yield


def _in_float32(output: object) -> object:
    if isinstance(output, (list, tuple)):
        return type(output)(_in_float32(part) for part in output)
    return output.float() if isinstance(output, Tensor) and output.is_floating_point() else output


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
    """MMEngine's default constructor, in whose place it is registered, for networks with dynamic layers."""


@POSE_CONSTRUCTORS.register_module(name=ForceDefaultOptimWrapperConstructor.__name__, force=True)
class DynamicForceOptimWrapperConstructor(_SeesDynamicLayers, ForceDefaultOptimWrapperConstructor):
    """MMPose's constructor that keeps the default settings beside custom ones, likewise."""
