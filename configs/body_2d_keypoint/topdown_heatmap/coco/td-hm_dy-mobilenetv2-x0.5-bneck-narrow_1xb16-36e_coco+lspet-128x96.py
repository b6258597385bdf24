_base_ = ['./td-hm_mobilenetv2-x0.5-bneck-narrow_1xb16-36e_coco+lspet-128x96.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(
    backbone=dict(type='DyMobileNetV2', conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg),
)
