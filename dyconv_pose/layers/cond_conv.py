"""Conditionally parameterised convolution (Yang et al., NeurIPS 2019): experts mixed with sigmoid weights.

It differs from the paper of this project in the attention alone::

    pi(x)  = sigmoid(FC(average pool(x)))       K numbers between zero and one, whose sum is free
"""

import torch
from torch import Tensor, nn

from .dynamic_conv import DyConv2d, pooled


class Routing(nn.Module):
    """CondConv's routing function (section 3 of its paper)."""

    def __init__(self, in_channels: int, num_kernels: int, **where: object) -> None:
        super().__init__()
        self.routing = nn.Linear(in_channels, num_kernels, **where)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, K), in float32 under autocast."""
        logits = self.routing(pooled(x))
        return torch.sigmoid(logits.to(torch.promote_types(logits.dtype, torch.float32)))


class CondConv2d(DyConv2d):
    """CondConv, a drop-in for :class:`torch.nn.Conv2d`.

    A warm start is exact: the weights of the routing begin at zero, so that pi is the same for every image, and the K
    copies of the static kernel are divided by its sum. The routing's biases, as they are drawn, let the copies part.
    """

    zero_at_start = ('attention.routing.weight',)

    def build_attention(self, **where: object) -> nn.Module:
        """Makes the :class:`Routing` that maps x to pi."""
        return Routing(self.in_channels, self.num_kernels, **where)
