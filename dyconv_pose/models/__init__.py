# ruff: noqa: F401
"""Dynamic networks, registered in MMPose's registry; the layers in MMEngine's root registry."""

from dyconv_pose import registration  # MMPose, importable
from dyconv_pose.moved import getattr_of

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .dynamic import dynamic
from .heads import BottleneckHead, ConvPoolNeck, SeparableFPN, SeparableHead
from .warm_start import WarmStart

__getattr__ = getattr_of(__name__)
