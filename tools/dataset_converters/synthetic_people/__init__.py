"""A seeded set of drawn people in COCO's keypoint format, to learn on from nothing."""

from .coco import make_sample_set
from .scene import render_sample

__all__ = ['make_sample_set', 'render_sample']
