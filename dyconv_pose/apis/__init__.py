# ruff: noqa: F401
"""What the tools do, callable from Python."""

from dyconv_pose import registration  # MMPose, importable
from dyconv_pose.inference import load_estimator

from .checkpoint import load_weights, read_checkpoint
from .config import build_model, load_config
from .runner import test, train
