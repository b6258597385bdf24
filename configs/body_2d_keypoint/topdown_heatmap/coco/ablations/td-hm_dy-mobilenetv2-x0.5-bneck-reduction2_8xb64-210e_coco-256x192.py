# The hidden layer of the attention is half the width of the input in place of a quarter.
_base_ = ['../td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

model = dict(
    backbone=dict(conv_cfg=dict(reduction=2)),
    head=dict(conv_cfg=dict(reduction=2)),
)
