_base_ = ['./td-hm_mobilenetv2-fpn_1xb32-1k-decay_photographs-256x192.py']

model = dict(
    backbone=dict(widen_factor=1.75, last_channels=1280),
    neck=dict(in_channels=(40, 56, 112, 1280)),
)
