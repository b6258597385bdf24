"""Mixed precision on a CPU, where MMEngine's AmpOptimWrapper refuses to be built."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn

#: The layer of MMPose's heads from whose output the loss and the training accuracy are computed.
LAST_LAYER = 'final_layer'


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """MMEngine's OptimWrapper with the forward pass in bfloat16, which has float32's range: the loss needs no scaling.

    The head's output is float32: MMPose computes the training accuracy with NumPy, which has no bfloat16.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16), ExitStack() as hooks:
            for name, module in model.named_modules():
                if name.rpartition('.')[2] == LAST_LAYER:
                    hooks.enter_context(module.register_forward_hook(lambda _module, _args, output: output.float()))
            yield
