"""dyconv_pose: dynamic convolution for keypoint detection, as MMPose components.

Importing this package imports nothing else. Its names come when they are asked for: the layers need PyTorch alone,
running exported networks needs neither PyTorch nor MMPose, and configs name :mod:`dyconv_pose.registration`, which
makes MMPose importable and registers every component.
"""

from importlib import import_module

from .moved import getattr_of

__version__ = '0.2.0'

#: Where each public name is defined.
_MODULES = {
    'CondConv2d': 'layers',
    'DCDConv2d': 'layers',
    'DyConv2d': 'layers',
    'KernelWarehouse2d': 'layers',
    'ODConv2d': 'layers',
    'dynamic_layers': 'layers',
    'make_dynamic': 'layers',
    'load_estimator': 'inference',
    'load_exported': 'deploy',
    'export_onnx': 'deploy',
    'to_deploy': 'deploy',
}

__all__ = [*_MODULES, '__version__']


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used."""
    if name not in _MODULES:
        return getattr_of(__name__)(name)
    value = globals()[name] = getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
