"""What makes a step quicker: memory that is kept, the memory format of convolutions, bfloat16 on a CPU."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding, wrappers
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS, OPTIM_WRAPPERS
from torch import Tensor, nn

from dyconv_pose.layers import Conv2dSame

# Parameters of glibc's mallopt (man 3 mallopt).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4

#: Whether this process was told to keep freed memory; the C library cannot be asked.
_is_kept = False

#: Static convolutions that use their kernels as they are; other subclasses may read them as if they were contiguous.
PLAIN_CONVS = (nn.Conv2d, nn.ConvTranspose2d, wrappers.Conv2d, wrappers.ConvTranspose2d)
PLAIN_CONVS += (Conv2dAdaptivePadding, Conv2dSame)


def keep_freed_memory() -> bool:
    """Makes glibc keep the memory that is freed from now on; returns whether the C library is glibc.

    By default it gives every large block back to the system, which clears every page when it is asked for again. A step
    of a network on a CPU frees and asks for all its features; at 256x192 that takes as long as computing them.
    """
    global _is_kept
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    _is_kept = mallopt is not None and bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
    return _is_kept


def is_freed_memory_kept() -> bool:
    """Whether :func:`keep_freed_memory` has worked in this process."""
    return _is_kept


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Keeps the memory of one step for the next, for training on a CPU: as much as was ever needed."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Changes the allocator before the network runs for the first time."""
        if not keep_freed_memory():
            runner.logger.warning('KeepMemoryHook does nothing here: the C library is not glibc.')


def use_channels_last(model: nn.Module) -> None:
    """Stores the kernels of a network's plain convolutions in channels_last; its features then follow."""
    for module in model.modules():
        if type(module) in PLAIN_CONVS:
            module.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Trains in the format that a CPU, or a GPU with tensor cores, convolves fastest in; equal but for rounding."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Converts the network before it runs for the first time."""
        use_channels_last(runner.model)


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper with the forward pass in bfloat16, which has float32's range: the loss needs no scaling.

    MMEngine's AmpOptimWrapper refuses to be built on a CPU. What the head computes is handed on in float32: MMPose
    computes the training accuracy with NumPy, which has no bfloat16.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass."""
        head = getattr(getattr(model, 'module', model), 'head', None)  # DDP has the model as its module
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
