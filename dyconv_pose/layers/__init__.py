# ruff: noqa: F401
"""Dynamic convolution in plain PyTorch: nothing here knows of pose estimation, or needs another package."""

from dyconv_pose.moved import getattr_of

from .base import DynamicConv2d, dynamic_layers
from .cond_conv import CondConv2d
from .convert import Conversion, make_dynamic
from .dcd_conv import DCDConv2d
from .dynamic_conv import DyConv2d, KernelAttention, aggregate, convolve_per_sample
from .forms import Conv2dSame, Geometry
from .kernel_warehouse import KernelWarehouse2d
from .od_conv import ODConv2d

__getattr__ = getattr_of(__name__)
