"""Deployment: folding, export, and a runtime that needs neither torch nor MMPose.

What makes an exported file needs torch, and is imported only when it is asked for.
"""

from dyconv_pose.moved import getattr_of

from .runtime import ExportedModel, load_exported, read_exported

_NEED_TORCH = {'PoseNetwork': 'network', 'to_deploy': 'fold', 'export_onnx': 'export', 'to_static': 'collapse'}

__all__ = ['ExportedModel', 'load_exported', 'read_exported', *_NEED_TORCH]
__getattr__ = getattr_of(__name__, _NEED_TORCH)
