# KernelWarehouse with a budget of 1; the temperature falls from 1 to 0 over the first tenth of the training.
_base_ = ['../td-hm_mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

conv_cfg = dict(type='KernelWarehouse2d', budget=1)

model = dict(
    backbone=dict(type='DyMobileNetV2', conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg),
)

default_hooks = dict(temperature=dict(type='TemperatureHook', start=1, end=0, duration=21))
