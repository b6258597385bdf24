"""Pose estimation on images around a network of any runtime; imports neither torch nor MMPose."""

from .coco import CocoBoxes
from .detectors import Fallback, HogDetector, OnnxDetector, WholeImage, load_detector
from .images import read_image
from .predictor import Detector, HeatmapModel, PoseEstimator
from .preprocessing import TopdownSpec
from .results import Boxes, Image, KeypointSet, Poses
from .tracking import Tracker

__all__ = [
    'Boxes',
    'CocoBoxes',
    'Detector',
    'Fallback',
    'HeatmapModel',
    'HogDetector',
    'Image',
    'KeypointSet',
    'OnnxDetector',
    'PoseEstimator',
    'Poses',
    'TopdownSpec',
    'Tracker',
    'WholeImage',
    'load_detector',
    'read_image',
]
