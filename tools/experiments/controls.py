"""A control for experiments: as many kernels as a dynamic layer has, mixed without a look at the image."""

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from dyconv_pose import DyConv2d


class LearnedAttention(nn.Module):
    """K learned logits through the softmax of :class:`~dyconv_pose.layers.dynamic_conv.KernelAttention`.

    Args:
        num_kernels: K.
        temperature: tau.
        **where: ``device`` and ``dtype`` of the parameters.
    """

    def __init__(self, num_kernels: int, temperature: float, **where: object) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_kernels, **where))
        self.register_buffer('temperature', torch.tensor(float(temperature), **where))

    def forward(self, x: Tensor) -> Tensor:
        """The same attention weights for each of features (B, C_in, H, W): (B, K)."""
        return torch.softmax(self.logits / self.temperature, dim=0).expand(len(x), -1)


@MODELS.register_module()
class LearnedMixtureConv2d(DyConv2d):
    """A ``DyConv2d`` whose attention is learned but the same for every image."""

    def build_attention(self, reduction: int = 4, temperature: float = 30.0, **where: object) -> nn.Module:
        """Makes the :class:`LearnedAttention`; ``reduction`` is taken so that a config may name the class alone."""
        return LearnedAttention(self.num_kernels, temperature, **where)
