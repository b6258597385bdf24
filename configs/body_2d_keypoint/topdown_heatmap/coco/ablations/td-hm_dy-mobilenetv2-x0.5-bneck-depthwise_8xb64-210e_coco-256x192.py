# Of each bottleneck only the depthwise convolution is dynamic.
_base_ = ['../td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

model = dict(
    backbone=dict(dynamic_convs=['layer1.0.conv.0.*', 'layer[2-7].*.conv.1.*']),
    head=dict(dynamic_convs=['*.depthwise_conv.*']),
)
