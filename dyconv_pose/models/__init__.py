"""Dynamic networks, registered in MMPose's registry; the layer itself in MMEngine's root registry."""

from dyconv_pose import registration  # noqa: F401  MMPose, importable

from .backbones import DyMobileNetV2, DyMobileNetV3, DyResNet
from .classification import ConvPoolNeck
from .dynamic import dynamic
from .heads import BottleneckHead
from .input_size import check_input_size
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
    'check_input_size',
    'dynamic',
]


def __getattr__(name: str) -> object:
    """Names the new place of what moved."""
    if name == 'make_dynamic':
        raise ImportError('make_dynamic moved in dyconv_pose 0.2: import it from dyconv_pose, see CHANGELOG.md.')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
