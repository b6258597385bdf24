"""A pose network as a plain function: of tensors, and of arrays as inference takes it."""

from contextlib import ExitStack
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from dyconv_pose.engine.speed import is_freed_memory_kept

#: Pixels of input that go through a network at once on a CPU, where memory is not kept.
_PART_PIXELS = 2 * 256 * 192


class PoseNetwork(nn.Module):
    """A pose estimator of MMPose, with a backbone, a head and perhaps a neck, as a function from input to output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head, self.neck = model.backbone, model.head, getattr(model, 'neck', None)

    def forward(self, batch: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Maps input (B, 3, H, W) to heatmaps (B, K, h, w), or with a SimCC head to vectors (B, K, w) and (B, K, h)."""
        features = self.backbone(batch)
        return self.head(features if self.neck is None else self.neck(features))


class WithAttention(nn.Module):
    """A network, trained or deployed, that also gives the attention weights (B, K) of its dynamic layers.

    Attributes:
        attention: The modules that compute them, by the layers' names.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        found = {name: getattr(module, 'kernel_attention', None) for name, module in network.named_modules()}
        self.attention = {name: module for name, module in found.items() if module is not None}

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Maps input (B, 3, H, W) to what the network gives, and then each layer's weights, in the names' order."""
        weights = {}
        with ExitStack() as stack:
            for name, module in self.attention.items():
                keep = partial(lambda name, _module, _inputs, pi: weights.update({name: pi}), name)
                stack.callback(module.register_forward_hook(keep).remove)
            outputs = self.network(batch)
        return (*(outputs if isinstance(outputs, tuple) else (outputs,)), *(weights[name] for name in self.attention))


class TorchNetwork:
    """A :class:`PoseNetwork`, trained or deployed, as a function of arrays.

    On a CPU as many persons go through at once as have the pixels of two inputs of 256x192, unless the process keeps
    the memory that it frees (:mod:`~dyconv_pose.engine.speed`): the system would clear a whole batch's anew.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) or SimCC vectors (B, K, w + h) float32."""
        device = next(chain(self.module.parameters(), self.module.buffers())).device
        is_whole = device.type != 'cpu' or is_freed_memory_kept()
        size = len(batch) if is_whole else max(_PART_PIXELS // (batch.shape[2] * batch.shape[3]), 1)
        outputs = [self.module(part.to(device)) for part in torch.from_numpy(batch).split(size)]
        outputs = [torch.cat(one, dim=-1) if isinstance(one, tuple) else one for one in outputs]
        return torch.cat(outputs).float().cpu().numpy()
