"""MMPose's MobileNetV2, MobileNetV3 and ResNet, dynamic exactly where the paper's networks are.

The paper's parameter counts say which convolutions are dynamic: all but the stem, MobileNet's last 1x1 convolution,
the layers of squeeze-and-excitation, and ResNet's shortcut projections. Of all networks ``conv_cfg`` is the dynamic
layer, by default the paper's, and ``None`` for the static network; other arguments are MMPose's.
"""

from functools import wraps
from typing import ClassVar

from mmcv.cnn import ConvModule
from mmpose.models.backbones import MobileNetV2, MobileNetV3, ResNet
from mmpose.models.backbones.resnet import BasicBlock
from mmpose.registry import MODELS

from dyconv_pose.layers import Conv2dSame

from .dynamic import DynamicMixin

#: The paper's dynamic layer.
PAPER_CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30.0)


class PaddedMobileNetV2(MobileNetV2):
    """MMPose's ``MobileNetV2`` with two options that networks trained in TensorFlow need.

    Args:
        *args, **kwargs: Those of MMPose's ``MobileNetV2``.
        padding: ``'symmetric'``, or ``'same'`` as TensorFlow pads: at stride 2, on the lower and right edge alone.
        last_channels: Channels of the last feature map; ``None`` for MMPose's 1280 times ``widen_factor``, or 1280.
    """

    @wraps(MobileNetV2.__init__)  # for its names of arguments
    def __init__(
        self, *args: object, padding: str = 'symmetric', last_channels: int | None = None, **kwargs: object
    ) -> None:
        if padding not in ('symmetric', 'same'):
            raise ValueError(f"padding must be 'symmetric' or 'same', got {padding!r}.")
        super().__init__(*args, **kwargs)
        if last_channels is not None:
            old, settings = self.conv2, dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
            self.conv2 = ConvModule(old.in_channels, last_channels, 1, conv_cfg=self.conv_cfg, **settings)
            self.out_channel = last_channels
        for block in self.modules() if padding == 'same' else ():
            if isinstance(block, ConvModule) and block.stride != (1, 1):
                old, settings = block.conv, dict(groups=block.groups, bias=block.with_bias)
                block.conv = Conv2dSame(old.in_channels, old.out_channels, old.kernel_size, old.stride, **settings)
                block.conv.load_state_dict(old.state_dict())


@MODELS.register_module()
class DyMobileNetV2(DynamicMixin, PaddedMobileNetV2):
    """MobileNetV2 whose inverted residual blocks are dynamic.

    Maps (B, 3, H, W) to, by default, one feature map (B, 1280, H/32, W/32); the paper uses ``widen_factor`` 0.35 to 1.
    """

    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1.*', 'conv2.*')


@MODELS.register_module()
class DyMobileNetV3(DynamicMixin, MobileNetV3):
    """MobileNetV3 whose inverted residual blocks are dynamic, squeeze-and-excitation excepted.

    ``arch='small-s16'`` is ``'small'`` without its last stage, for small inputs; its output is (B, 48, H/16, W/16).

    Maps (B, 3, H, W) to, by default, one feature map (B, 96, H/32, W/32), or (B, 160, H/32, W/32) for ``arch='big'``.
    """

    arch_settings: ClassVar[dict] = {**MobileNetV3.arch_settings, 'small-s16': MobileNetV3.arch_settings['small'][:8]}
    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1.*', '*.se.*')


@MODELS.register_module()
class DyResNet(DynamicMixin, ResNet):
    """ResNet whose residual blocks are dynamic, shortcut projections excepted; with a depth of 10 besides.

    Maps (B, 3, H, W) to, by default, one feature map (B, C, H/32, W/32), C = 512 up to depth 34 and 2048 from 50 on.
    """

    arch_settings: ClassVar[dict] = {10: (BasicBlock, (1, 1, 1, 1)), **ResNet.arch_settings}
    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1', 'stem.*', '*.downsample.*')
