"""dyconv_pose: dynamic convolution for keypoint detection, as MMPose components.

Importing this package imports nothing else; its names come when they are asked for. The layers need PyTorch alone,
exported networks neither PyTorch nor MMPose. Configs name :mod:`dyconv_pose.registration`, which makes MMPose
importable and registers every component.
"""

from .moved import getattr_of

__version__ = '0.2.0'

#: Where public names are defined.
_MODULES = dict.fromkeys(
    ('CondConv2d', 'DCDConv2d', 'DyConv2d', 'KernelWarehouse2d', 'ODConv2d', 'dynamic_layers', 'make_dynamic'), 'layers'
)
_MODULES |= dict.fromkeys(('export_onnx', 'load_exported', 'to_deploy', 'to_static'), 'deploy')
_MODULES['load_estimator'] = 'inference'

__all__ = [*_MODULES, '__version__']
__getattr__ = getattr_of(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
