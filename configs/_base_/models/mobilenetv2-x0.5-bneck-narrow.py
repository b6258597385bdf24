# MobileNetV2 x0.5 with the type B head at a quarter of its width: a network for a CPU.
_base_ = ['./topdown_heatmap.py']

model = dict(
    backbone=dict(type='MobileNetV2', widen_factor=0.5),
    head=dict(
        type='BottleneckHead',
        in_channels=1280,
        stage_out_channels=(64, 32, 32),
        stage_hidden_channels=((None, 256), (64,), (128,)),
    ),
)
