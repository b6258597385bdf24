_base_ = ['./mobilenetv3-small_8xb32-300e_in1k.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(type='mmpose.DyMobileNetV3', conv_cfg=conv_cfg))

default_hooks = dict(temperature=dict(type='mmpose.TemperatureHook', start=30, end=1, duration=10))
