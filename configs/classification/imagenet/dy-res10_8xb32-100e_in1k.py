_base_ = ['./res10_8xb32-100e_in1k.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(type='mmpose.DyResNet', conv_cfg=dict(conv_cfg, _delete_=True)))

default_hooks = dict(temperature=dict(type='mmpose.TemperatureHook', start=30, end=1, duration=10))
