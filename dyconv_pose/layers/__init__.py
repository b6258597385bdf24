"""Dynamic convolution in plain PyTorch: nothing in this package knows of pose or of MMPose."""

from .convert import convert_convs, dynamic_layers, warm_start_state
from .dynamic_conv import DyConv2d, KernelAttention
from .same_padding import Conv2dSame

__all__ = ['Conv2dSame', 'DyConv2d', 'KernelAttention', 'convert_convs', 'dynamic_layers', 'warm_start_state']
