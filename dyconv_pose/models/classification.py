"""What classification by MMPretrain needs besides its own components."""

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ConvPoolNeck(BaseModule):
    """The last 1x1 convolution of MobileNetV3, which MMPose's backbone leaves out, and global average pooling."""

    def __init__(self, in_channels: int, out_channels: int, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(init_cfg)
        settings = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='HSwish'), bias=False)
        self.conv = ConvModule(in_channels, out_channels, 1, **settings)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Maps feature maps, the last of them (B, C_in, H, W), to vectors (B, C_out), in a tuple."""
        return (self.pool(self.conv(features[-1])).flatten(1),)
