"""Costs of networks, and the paper's figures to hold them against."""

from .comparison import compare_coco, compare_imagenet
from .complexity import count
from .costs import Complexity, LayerCost
from .estimators import count_config, count_estimator, input_size_of, read_config

__all__ = [
    'Complexity',
    'LayerCost',
    'compare_coco',
    'compare_imagenet',
    'count',
    'count_config',
    'count_estimator',
    'input_size_of',
    'read_config',
]
