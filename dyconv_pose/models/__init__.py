"""Dynamic networks, registered in MMPose's registry; the layer itself in MMEngine's root registry."""

from dyconv_pose import registration  # noqa: F401  MMPose, importable

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .classification import ConvPoolNeck
from .dynamic import dynamic, make_dynamic
from .heads import BottleneckHead
from .warm_start import WarmStart

__all__ = [
    'BottleneckHead',
    'ConvPoolNeck',
    'DyMobileNetV2',
    'DyMobileNetV3',
    'DyResNet',
    'WarmStart',
    'dynamic',
    'make_dynamic',
]
