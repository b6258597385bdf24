"""A pose network as a plain function: of tensors, and of arrays as inference takes it."""

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
