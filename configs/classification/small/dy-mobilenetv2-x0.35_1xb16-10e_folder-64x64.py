_base_ = ['./mobilenetv2-x0.35_1xb16-10e_folder-64x64.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(type='mmpose.DyMobileNetV2', conv_cfg=conv_cfg))

default_hooks = dict(temperature=dict(type='mmpose.TemperatureHook', start=30, end=1, duration=5))
