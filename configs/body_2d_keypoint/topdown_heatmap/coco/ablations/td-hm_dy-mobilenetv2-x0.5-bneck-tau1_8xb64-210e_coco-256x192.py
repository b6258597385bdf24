# A temperature of 1 in place of 30.
_base_ = ['../td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

model = dict(
    backbone=dict(conv_cfg=dict(temperature=1)),
    head=dict(conv_cfg=dict(temperature=1)),
)
