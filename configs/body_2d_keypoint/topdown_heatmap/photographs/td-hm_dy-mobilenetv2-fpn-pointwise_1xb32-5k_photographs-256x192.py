# Of the backbone only pointwise convolutions are dynamic, as where depthwise layers are collapsed.
_base_ = ['./td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py']

model = dict(backbone=dict(dynamic_kinds=['pointwise']))
