# DCD; depthwise convolutions stay static.
_base_ = ['../td-hm_mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

conv_cfg = dict(type='DCDConv2d')

model = dict(
    backbone=dict(type='DyMobileNetV2', conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg),
)
