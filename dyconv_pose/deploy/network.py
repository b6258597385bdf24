"""A pose network as a plain function: of tensors, and of arrays as inference takes it."""

from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from dyconv_pose.engine.speed import is_freed_memory_kept

#: Pixels of input that go through a network at once on a CPU, where memory is not kept.
_PART_PIXELS = 2 * 256 * 192


class PoseNetwork(nn.Module):
    """A pose estimator of MMPose, with a backbone, a head and perhaps a neck, as a function from input to heatmaps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head, self.neck = model.backbone, model.head, getattr(model, 'neck', None)

    def forward(self, batch: Tensor) -> Tensor:
        """Maps input (B, 3, H, W) to heatmaps (B, keypoints, h, w)."""
        features = self.backbone(batch)
        return self.head(features if self.neck is None else self.neck(features))


class TorchNetwork:
    """A :class:`PoseNetwork`, trained or deployed, as a function of arrays.

    ``part`` persons go through at once; by default all, but on a CPU as many as have the pixels of two inputs of
    256x192, unless the process keeps the memory that it frees (:mod:`~dyconv_pose.engine.speed`): the system
    would give memory for the features of a whole batch anew each time, and clear it.
    """

    def __init__(self, module: nn.Module, part: int | None = None) -> None:
        self.module, self.part = module, part

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32."""
        device = next(chain(self.module.parameters(), self.module.buffers())).device
        is_whole = device.type != 'cpu' or is_freed_memory_kept()
        fitting = len(batch) if is_whole else max(_PART_PIXELS // (batch.shape[2] * batch.shape[3]), 1)
        parts = torch.from_numpy(batch).split(self.part or fitting)
        return torch.cat([self.module(part.to(device)) for part in parts]).float().cpu().numpy()
