"""Dynamic networks, registered in MMPose's registry; the layer itself in MMEngine's root registry."""

from dyconv_pose import registration  # noqa: F401  MMPose, importable

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .classification import ConvPoolNeck
from .dynamic import dynamic
from .heads import BottleneckHead
from .input_size import check_input_size
from .warm_start import WarmStart

__all__ = [
    'BottleneckHead',
    'ConvPoolNeck',
    'DyMobileNetV2',
    'DyMobileNetV3',
    'DyResNet',
    'WarmStart',
    'check_input_size',
    'dynamic',
]
