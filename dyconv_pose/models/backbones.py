"""MMPose's MobileNetV2, MobileNetV3 and ResNet, dynamic exactly where the paper's networks are.

The paper's parameter counts say which convolutions are dynamic: all but the stem, MobileNet's last 1x1
convolution, the fully-connected layers of squeeze-and-excitation, and ResNet's shortcut projections.
"""

from typing import ClassVar

from mmpose.models.backbones import MobileNetV2, MobileNetV3, ResNet
from mmpose.models.backbones.resnet import BasicBlock
from mmpose.registry import MODELS

from .dynamic import DynamicMixin

#: The paper's dynamic layer.
PAPER_CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30.0)


@MODELS.register_module()
class DyMobileNetV2(DynamicMixin, MobileNetV2):
    """MobileNetV2 whose inverted residual blocks are dynamic.

    Input (B, 3, H, W) and outputs as MMPose's ``MobileNetV2``, by default one feature map (B, 1280, H/32, W/32).

    Args:
        conv_cfg: The dynamic layer, by default the paper's, :data:`PAPER_CONV_CFG`; ``None`` for the static network.
        *args, **kwargs: Those of MMPose's ``MobileNetV2``; the paper uses ``widen_factor`` 0.35, 0.5, 0.75 and 1.0.
    """

    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1.*', 'conv2.*')


@MODELS.register_module()
class DyMobileNetV3(DynamicMixin, MobileNetV3):
    """MobileNetV3 whose inverted residual blocks are dynamic, squeeze-and-excitation excepted.

    ``arch='small-s16'`` is ``'small'`` without its last stage, for inputs so small that a feature map at stride 32
    has too few cells to locate a joint; its output is (B, 48, H/16, W/16).

    Input (B, 3, H, W) and outputs as MMPose's ``MobileNetV3``, by default one feature map (B, 96, H/32, W/32) for
    ``arch='small'`` and (B, 160, H/32, W/32) for ``arch='big'``.

    Args:
        conv_cfg: The dynamic layer, by default the paper's, :data:`PAPER_CONV_CFG`; ``None`` for the static network.
        *args, **kwargs: Those of MMPose's ``MobileNetV3``.
    """

    arch_settings: ClassVar[dict] = {**MobileNetV3.arch_settings, 'small-s16': MobileNetV3.arch_settings['small'][:8]}
    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1.*', '*.se.*')


@MODELS.register_module()
class DyResNet(DynamicMixin, ResNet):
    """ResNet whose residual blocks are dynamic, shortcut projections excepted; with a depth of 10 besides.

    Input (B, 3, H, W) and outputs as MMPose's ``ResNet``, by default one feature map (B, C, H/32, W/32) with
    C = 512 up to depth 34 and 2048 from 50 on.

    Args:
        conv_cfg: The dynamic layer, by default the paper's, :data:`PAPER_CONV_CFG`; ``None`` for the static network.
        *args, **kwargs: Those of MMPose's ``ResNet``.
    """

    arch_settings: ClassVar[dict] = {10: (BasicBlock, (1, 1, 1, 1)), **ResNet.arch_settings}
    default_conv_cfg = PAPER_CONV_CFG
    static_convs = ('conv1', 'stem.*', '*.downsample.*')
