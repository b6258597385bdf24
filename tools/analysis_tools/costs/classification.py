"""Backbones with a classifier, in the form in which the paper counts them for ImageNet."""

from collections.abc import Sequence
from itertools import pairwise

from mmpose.registry import MODELS
from torch import Tensor, nn


class Classifier(nn.Module):
    """Backbone, global average pool and linear layers; it is meant for counting, not for training.

    Args:
        backbone: Maps images (B, 3, H, W) to features (B, C, H/32, W/32), alone or as the last of a tuple.
        features: C.
        hidden: Nothing, or the widths of MobileNetV3's last 1x1 convolution and of its hidden linear layer.
        num_classes: Number of classes.
    """

    def __init__(self, backbone: nn.Module, features: int, hidden: Sequence[int] = (), num_classes: int = 1000) -> None:
        super().__init__()
        self.backbone = backbone
        self.conv = nn.Sequential()
        if hidden:
            width = hidden[0]
            self.conv = nn.Sequential(nn.Conv2d(features, width, 1, bias=False), nn.BatchNorm2d(width), nn.Hardswish())
        widths = [*hidden] or [features]
        layers = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width), nn.Hardswish()]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps images (B, 3, H, W) to logits (B, ``num_classes``)."""
        features = self.backbone(x)
        features = features[-1] if isinstance(features, tuple) else features
        return self.fc(self.pool(self.conv(features)).flatten(1))


def build_classifier(
    backbone: dict, features: int, hidden: Sequence[int] = (), conv_cfg: dict | None = None
) -> Classifier:
    """Builds a :class:`Classifier` on a backbone of MMPose's registry, dynamic where ``conv_cfg`` is given."""
    return Classifier(MODELS.build(dict(backbone, _scope_='mmpose', conv_cfg=conv_cfg)), features, hidden)
