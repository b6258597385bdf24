"""The memory format in which a CPU, or a GPU with tensor cores, runs convolutions fastest."""

import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding, wrappers
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn

from dyconv_pose.layers import Conv2dSame

#: Static convolutions that use their kernels as they are; other subclasses may read them as if they were contiguous.
PLAIN_CONVS = (nn.Conv2d, nn.ConvTranspose2d, wrappers.Conv2d, wrappers.ConvTranspose2d)
PLAIN_CONVS += (Conv2dAdaptivePadding, Conv2dSame)


def use_channels_last(model: nn.Module) -> None:
    """Stores the kernels of a network's plain convolutions in channels_last; its features then follow."""
    for module in model.modules():
        if type(module) in PLAIN_CONVS:
            module.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Trains in PyTorch's channels_last format: the same results but for rounding, the same checkpoints."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Converts the network before it runs for the first time."""
        use_channels_last(runner.model)
