"""dyconv_pose: dynamic convolution for keypoint detection, as MMPose components.

Importing this package makes MMPose importable (see :mod:`dyconv_pose.compat`) and registers every component, so
that a config needs only ``custom_imports = dict(imports=['dyconv_pose'])``. Where MMPose is not installed, nothing
is registered, and the parts that need no MMPose (:mod:`dyconv_pose.layers`) still work.
"""

from importlib.util import find_spec

__version__ = '0.1.0'

if find_spec('mmpose') is not None:
    from . import registration  # noqa: F401
