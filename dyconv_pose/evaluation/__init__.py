"""Evaluation: what MMPose's CocoMetric needs of xtcocotools, on top of pycocotools."""
