# ruff: noqa: F401
"""Dynamic networks, registered in MMPose's registry; the layers in MMEngine's root registry."""

from dyconv_pose import registration  # MMPose, importable
from dyconv_pose.moved import getattr_of

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .dynamic import WarmStart, dynamic
from .heads import BottleneckHead, ConvPoolNeck, SeparableFPN, SeparableHead

__getattr__ = getattr_of(__name__)
