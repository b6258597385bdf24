_base_ = [
    '../_base_/runtime.py',
    '../_base_/folder_224.py',
    '../_base_/sgd_100e.py',
    '../_base_/classifier.py',
]

model = dict(
    backbone=dict(type='mmpose.DyResNet', depth=10, conv_cfg=None),
    head=dict(in_channels=512),
)
