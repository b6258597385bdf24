"""Dynamic convolution in plain PyTorch: nothing here knows of pose estimation, or needs another package."""

from .base import DynamicConv2d, dynamic_layers
from .cond_conv import CondConv2d
from .convert import Conversion, convert_convs, make_dynamic, warm_start_state
from .dynamic_conv import DyConv2d, KernelAttention, aggregate, convolve_per_sample
from .geometry import Geometry
from .same_padding import Conv2dSame

__all__ = [
    'CondConv2d',
    'Conv2dSame',
    'Conversion',
    'DyConv2d',
    'DynamicConv2d',
    'Geometry',
    'KernelAttention',
    'aggregate',
    'convert_convs',
    'convolve_per_sample',
    'dynamic_layers',
    'make_dynamic',
    'warm_start_state',
]
