# Of the backbone only the pointwise convolutions are dynamic, as in the dynamic network with depthwise layers collapsed.
_base_ = ['./td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py']

model = dict(backbone=dict(dynamic_kinds=['pointwise']))
