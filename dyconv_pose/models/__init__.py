"""Dynamic networks, registered in MMPose's registry; the layer itself in MMEngine's root registry."""

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .classification import ConvPoolNeck
from .dynamic import dynamic, make_dynamic
from .heads import BottleneckHead
from .separable import SeparableFPN, SeparableHead
from .warm_start import WarmStart

__all__ = [
    'BottleneckHead',
    'ConvPoolNeck',
    'DyMobileNetV2',
    'DyMobileNetV3',
    'DyResNet',
    'SeparableFPN',
    'SeparableHead',
    'WarmStart',
    'dynamic',
    'make_dynamic',
]
