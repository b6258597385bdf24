"""The light head of the paper's type B networks: upsampling and inverted residual bottlenecks (section 5.2)."""

from collections.abc import Sequence

from mmpose.models.backbones.utils import InvertedResidual
from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from torch import nn

from .dynamic import DynamicMixin


@MODELS.register_module()
class BottleneckHead(DynamicMixin, HeatmapHead):
    """Heatmap head of stages, each bilinear upsampling by two and then MobileNetV2-style bottlenecks.

    It maps features (B, C_in, H/32, W/32) to heatmaps (B, ``out_channels``, H/4, W/4) with the default three stages.
    Targets, loss and decoding are ``HeatmapHead``'s. The paper states the stages' output channels, block counts and
    5x5 depthwise kernels; the hidden widths are reconstructed from its parameter and multiply-add counts.

    Args:
        in_channels: Channels of the backbone's last feature map.
        out_channels: Number of keypoints.
        stage_out_channels: Output channels of each stage.
        stage_hidden_channels: For each stage, the hidden channels of each of its blocks; ``None`` for a block
            without an expansion convolution, whose hidden width is its input width.
        kernel_size: Size of the depthwise kernels.
        conv_cfg: The dynamic layer, such as ``dict(type='DyConv2d', num_kernels=4)``; ``None`` for static blocks.
        **kwargs: ``loss``, ``decoder``, ``final_layer`` and ``init_cfg`` of ``HeatmapHead``.

    Raises:
        ValueError: The two stage lists differ in length, or ``kernel_size`` is even.
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
            raise ValueError(
                'stage_out_channels and stage_hidden_channels must have one entry per stage, got '
                f'{len(stage_out_channels)} and {len(stage_hidden_channels)}.'
            )
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, got {kernel_size}: the paper uses 5.')
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=stage_out_channels,
            # HeatmapHead hands these two sequences to the factory below, one entry per stage.
            deconv_kernel_sizes=[(kernel_size, hidden) for hidden in stage_hidden_channels],
            conv_cfg=conv_cfg,
            **kwargs,
        )

    def _make_deconv_layers(
        self, in_channels: int, layer_out_channels: Sequence[int], layer_kernel_sizes: Sequence[tuple]
    ) -> nn.Module:
        """Builds the stages in place of ``HeatmapHead``'s deconvolutions."""
        stages = []
        for out_channels, (kernel_size, hidden_channels) in zip(layer_out_channels, layer_kernel_sizes, strict=True):
            blocks = [nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False)]
            for hidden in hidden_channels:
                width, settings = hidden or in_channels, dict(kernel_size=kernel_size, act_cfg=dict(type='ReLU6'))
                expands = hidden is not None
                blocks += [InvertedResidual(in_channels, out_channels, width, with_expand_conv=expands, **settings)]
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
