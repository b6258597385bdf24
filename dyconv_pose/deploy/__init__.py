"""Deployment: folding, export, and a runtime that needs neither torch nor MMPose.

:func:`load_exported` runs an exported file. What makes one, :func:`to_deploy` and :func:`export_onnx`, needs torch and
is imported only when it is asked for.
"""

from importlib import import_module

from dyconv_pose.moved import getattr_of

from .runtime import ExportedModel, load_exported, read_exported

_NEED_TORCH = {'PoseNetwork': 'network', 'to_deploy': 'fold', 'export_onnx': 'export'}

__all__ = ['ExportedModel', 'PoseNetwork', 'export_onnx', 'load_exported', 'read_exported', 'to_deploy']


def __getattr__(name: str) -> object:
    if name not in _NEED_TORCH:
        return getattr_of(__name__)(name)
    return getattr(import_module(f'.{_NEED_TORCH[name]}', __name__), name)
