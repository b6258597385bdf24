# ODConv with four kernels; the temperature falls from 30 to 1 over ten epochs, as its authors train.
_base_ = ['../td-hm_mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

conv_cfg = dict(type='ODConv2d', num_kernels=4)

model = dict(
    backbone=dict(type='DyMobileNetV2', conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg),
)

default_hooks = dict(temperature=dict(type='TemperatureHook', start=30, end=1, duration=10))
