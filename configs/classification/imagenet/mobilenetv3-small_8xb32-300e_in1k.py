_base_ = [
    '../_base_/runtime.py',
    '../_base_/folder_224.py',
    '../_base_/sgd_300e.py',
    '../_base_/classifier.py',
]

model = dict(
    backbone=dict(type='mmpose.MobileNetV3', arch='small'),
    neck=dict(_delete_=True, type='mmpose.ConvPoolNeck', in_channels=96, out_channels=576),
    head=dict(type='StackedLinearClsHead', in_channels=576, mid_channels=[1280], act_cfg=dict(type='HSwish')),
)
