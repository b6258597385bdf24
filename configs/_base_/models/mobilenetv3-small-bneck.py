# MobileNetV3-Small with the type B head as the paper has it.
_base_ = ['./topdown_heatmap.py']

model = dict(
    backbone=dict(type='MobileNetV3', arch='small'),
    head=dict(type='BottleneckHead', in_channels=96),
)
