# MobileNetV3-Small with the type B head at a quarter of its width: a network for a CPU.
_base_ = ['./topdown_heatmap.py']

model = dict(
    backbone=dict(type='MobileNetV3', arch='small'),
    head=dict(
        type='BottleneckHead',
        in_channels=96,
        stage_out_channels=(64, 32, 32),
        stage_hidden_channels=((None, 256), (64,), (128,)),
    ),
)
