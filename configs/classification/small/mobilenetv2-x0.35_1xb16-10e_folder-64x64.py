# For sets of few classes: their number is num_classes, in two places.
_base_ = [
    '../_base_/runtime.py',
    '../_base_/folder_64.py',
    '../_base_/adam_10e.py',
    '../_base_/classifier.py',
]

model = dict(
    backbone=dict(type='mmpose.MobileNetV2', widen_factor=0.35),
    head=dict(in_channels=1280, num_classes=6),
)

data_preprocessor = dict(num_classes=6)
