"""The memory format in which a CPU, or a GPU with tensor cores, runs convolutions quickest."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Stores the network's weights in PyTorch's channels_last format; its features then follow by themselves.

    What the network computes does not change but for rounding; checkpoints hold the same tensors.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Converts the network before it runs for the first time."""
        runner.model.to(memory_format=torch.channels_last)
