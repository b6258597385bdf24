"""Mixed precision on a CPU, where MMEngine's AmpOptimWrapper refuses to be built."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

#: The layer of MMPose's heads whose output the loss and the training accuracy are computed of.
LAST_LAYER = 'final_layer'


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16, which has float32's range, so the loss needs no scaling.

    What the head puts out is float32: the loss deserves it, and MMPose computes the training accuracy by NumPy,
    which has no bfloat16.

    Args:
        As of :class:`mmengine.optim.OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16), ExitStack() as hooks:
            for name, module in model.named_modules():
                if name.rpartition('.')[2] == LAST_LAYER:
                    hooks.enter_context(module.register_forward_hook(_to_float32))
            yield


def _to_float32(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
    return output.float()
