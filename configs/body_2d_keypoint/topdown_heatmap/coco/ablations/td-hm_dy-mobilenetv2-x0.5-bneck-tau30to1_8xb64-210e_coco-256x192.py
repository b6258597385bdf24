# The temperature falls linearly from 30 to 1 over the first ten epochs.
_base_ = ['../td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

default_hooks = dict(temperature=dict(type='TemperatureHook', start=30, end=1, duration=10))
