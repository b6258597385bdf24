# ruff: noqa: F401
"""Pose estimation on images around a network of any runtime; imports neither torch nor MMPose."""

from dyconv_pose.moved import getattr_of

from .detectors import load_detector
from .images import read_image
from .predictor import PoseEstimator, load_estimator
from .results import Boxes, Image, KeypointSet
from .topdown import HeatmapModel, TopdownSpec

__getattr__ = getattr_of(__name__)
