_base_ = ['./mobilenetv2-x0.75_8xb32-300e_in1k.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(type='mmpose.DyMobileNetV2', conv_cfg=conv_cfg))

default_hooks = dict(temperature=dict(type='mmpose.TemperatureHook', start=30, end=1, duration=10))
