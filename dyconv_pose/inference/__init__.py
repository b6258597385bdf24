"""Pose estimation on pictures around a network of any runtime; imports neither torch nor MMPose."""

from .boxes_file import CocoBoxes
from .estimator import PoseEstimator
from .keypoint_set import KeypointSet
from .persons import Fallback, Following, HogPersons, PersonSource, WholePicture
from .pictures import read_picture
from .topdown import HeatmapNetwork, HeatmapStage, TopdownSpec
from .types import Boxes, Picture, Poses

__all__ = [
    'Boxes',
    'CocoBoxes',
    'Fallback',
    'Following',
    'HeatmapNetwork',
    'HeatmapStage',
    'HogPersons',
    'KeypointSet',
    'PersonSource',
    'Picture',
    'PoseEstimator',
    'Poses',
    'TopdownSpec',
    'WholePicture',
    'read_picture',
]
