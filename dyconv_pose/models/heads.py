"""Necks and heads: the light head of the paper's type B networks, MoveNet's pyramid and branch, a classifier's neck."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.models.backbones.utils import InvertedResidual
from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from torch import Tensor, nn

from dyconv_pose.layers import make_dynamic

from .dynamic import DynamicMixin


@MODELS.register_module()
class BottleneckHead(DynamicMixin, HeatmapHead):
    """Heatmap head of stages, each bilinear upsampling by two and then MobileNetV2-style bottlenecks (section 5.2).

    It maps features (B, ``in_channels``, H/32, W/32) to heatmaps (B, ``out_channels``, H/4, W/4) with the default three
    stages. The paper states all but the hidden widths, which are reconstructed from its parameters and multiply-adds.

    Args:
        in_channels, out_channels: Of the backbone's last feature map, and the number of keypoints.
        stage_out_channels: Output channels of each stage.
        stage_hidden_channels: For each stage, the hidden channels of each of its blocks; ``None`` for no expansion.
        kernel_size: Size of the depthwise kernels.
        conv_cfg: The dynamic layer; ``None`` for static blocks.
        **kwargs: ``loss``, ``decoder``, ``final_layer`` and ``init_cfg`` of ``HeatmapHead``.
    """

    static_convs = ('final_layer',)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stage_out_channels: Sequence[int] = (256, 128, 128),
        stage_hidden_channels: Sequence[Sequence[int | None]] = ((None, 1024), (256,), (512,)),
        kernel_size: int = 5,
        conv_cfg: dict | None = None,
        **kwargs: object,
    ) -> None:
        if len(stage_out_channels) != len(stage_hidden_channels):
            lengths = f'{len(stage_out_channels)} and {len(stage_hidden_channels)}'
            raise ValueError(f'stage_out_channels and stage_hidden_channels need one entry per stage, got {lengths}.')
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, got {kernel_size}: the paper uses 5.')
        sizes = [(kernel_size, hidden) for hidden in stage_hidden_channels]  # for the factory below
        super().__init__(in_channels, out_channels, stage_out_channels, sizes, conv_cfg=conv_cfg, **kwargs)

    def _make_deconv_layers(
        self, in_channels: int, layer_out_channels: Sequence[int], layer_kernel_sizes: Sequence[tuple]
    ) -> nn.Module:
        """Builds the stages in place of ``HeatmapHead``'s deconvolutions."""
        stages = []
        for out_channels, (kernel_size, hidden_channels) in zip(layer_out_channels, layer_kernel_sizes, strict=True):
            blocks = [nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False)]
            for hidden in hidden_channels:
                settings = dict(kernel_size=kernel_size, act_cfg=dict(type='ReLU6'), with_expand_conv=bool(hidden))
                blocks.append(InvertedResidual(in_channels, out_channels, hidden or in_channels, **settings))
                in_channels = out_channels
            stages.append(nn.Sequential(*blocks))
        return nn.Sequential(*stages)

    @property
    def default_init_cfg(self) -> list[dict]:
        """As MMPose initialises MobileNetV2, and the last layer as it initialises a heatmap head's."""
        return [
            dict(type='Kaiming', layer='Conv2d', override=dict(type='Normal', name='final_layer', std=0.001)),
            dict(type='Constant', layer='BatchNorm2d', val=1),
        ]


def _separable(in_channels: int, out_channels: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return [depthwise, nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True)]


@MODELS.register_module()
class SeparableFPN(BaseModule):
    """MoveNet's feature pyramid: from the coarsest level on, upsample, add the next level, convolve.

    Args:
        in_channels: Channels of the feature maps, finest first; each has half the height and width of the one before.
        channels: Of each level but the coarsest after a 1x1 convolution; the coarsest gets as many as the last of them.
        out_channels: Channels of the output, at the finest level's size.
        conv_cfg: The dynamic layer that takes the place of what ``dynamic_convs`` match; ``None`` for none.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (24, 32, 64, 1280),
        channels: Sequence[int] = (24, 32, 64),
        out_channels: int = 24,
        init_cfg: dict | list[dict] | None = None,
        *,
        conv_cfg: dict | None = None,
        dynamic_convs: Sequence[str] = ('*',),
    ) -> None:
        if len(channels) != len(in_channels) - 1:
            found = f'{len(channels)} for {len(in_channels)} levels'
            raise ValueError(f'channels must have one entry for each level but the coarsest, got {found}.')
        super().__init__(init_cfg)
        levels = [*channels, channels[-1]]
        self.laterals = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(in_channels, levels, strict=True))
        outputs = [out_channels, *channels[:-1]]
        self.fusions = nn.ModuleList(nn.Sequential(*_separable(a, b)) for a, b in zip(channels, outputs, strict=True))
        if conv_cfg is not None:
            make_dynamic(self, conv_cfg, include=dynamic_convs)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor]:
        """Maps feature maps, finest first, each (B, C_i, H / 2^i, W / 2^i), to one (B, C_out, H, W), in a tuple."""
        *finer, coarsest = [lateral(x) for lateral, x in zip(self.laterals, features, strict=True)]
        for fusion, lateral in zip(reversed(self.fusions), reversed(finer), strict=True):
            above = F.interpolate(coarsest, size=lateral.shape[2:], mode='bilinear', align_corners=False)
            coarsest = fusion(above + lateral)
        return (coarsest,)


@MODELS.register_module()
class SeparableHead(DynamicMixin, HeatmapHead):
    """MoveNet's heatmap branch: a separable convolution, a 1x1 convolution and a sigmoid.

    It maps features (B, C_in, H, W) to heatmaps (B, ``out_channels``, H, W) between 0 and 1. ``conv_cfg`` is the
    dynamic layer, or ``None``; the last convolution stays static. The rest is ``HeatmapHead``'s.
    """

    static_convs = ('conv_layers.3',)

    def __init__(
        self, in_channels: int = 24, out_channels: int = 17, hidden_channels: int = 96, **kwargs: object
    ) -> None:
        layers = dict(conv_out_channels=(hidden_channels, out_channels), conv_kernel_sizes=(3, 1), final_layer=None)
        super().__init__(in_channels, out_channels, deconv_out_channels=None, **layers, **kwargs)
        self.final_layer = nn.Sigmoid()

    def _make_conv_layers(
        self, in_channels: int, layer_out_channels: Sequence[int], layer_kernel_sizes: Sequence[int]
    ) -> nn.Module:
        """Builds the branch in place of ``HeatmapHead``'s convolutions."""
        hidden_channels, out_channels = layer_out_channels
        last = nn.Conv2d(hidden_channels, out_channels, 1)
        nn.init.constant_(last.bias, -4)  # heatmaps start near zero, which most of their targets are
        return nn.Sequential(*_separable(in_channels, hidden_channels), last)

    @property
    def default_init_cfg(self) -> list[dict]:
        """None but PyTorch's: the small weights that MMPose draws for a last layer would put out nothing here."""
        return []


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
