"""What the tools do, callable from Python."""

from dyconv_pose import registration  # noqa: F401  MMPose, importable

from .checkpoint import load_weights, read_checkpoint
from .config import build_model, load_config
from .estimator import load_estimator
from .running import test, train

__all__ = ['build_model', 'load_config', 'load_estimator', 'load_weights', 'read_checkpoint', 'test', 'train']
