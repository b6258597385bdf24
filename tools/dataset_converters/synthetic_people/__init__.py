"""Synthetic people: a seeded set in COCO's keypoint format, to train on from scratch."""

from .coco import make_sample_set
from .scene import render_sample

__all__ = ['make_sample_set', 'render_sample']
