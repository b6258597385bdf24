# MobileNetV3-Small without its last stage, so at stride 16, with a type B head of two narrow stages: for small inputs,
# whose feature map at stride 32 has too few cells to locate a joint (4x3 of an input of 128x96).
_base_ = ['./topdown_heatmap.py']

model = dict(
    backbone=dict(type='DyMobileNetV3', arch='small-s16'),
    head=dict(
        type='BottleneckHead',
        in_channels=48,
        stage_out_channels=(64, 32),
        stage_hidden_channels=((256, 256), (128,)),
    ),
)
