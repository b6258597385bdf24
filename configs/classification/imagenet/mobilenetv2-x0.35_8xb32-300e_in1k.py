_base_ = [
    '../_base_/runtime.py',
    '../_base_/folder_224.py',
    '../_base_/sgd_300e.py',
    '../_base_/classifier.py',
]

model = dict(
    backbone=dict(type='mmpose.MobileNetV2', widen_factor=0.35),
    head=dict(in_channels=1280),
)
