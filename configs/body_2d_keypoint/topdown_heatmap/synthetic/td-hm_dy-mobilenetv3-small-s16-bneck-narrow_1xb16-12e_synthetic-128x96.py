_base_ = ['./td-hm_mobilenetv3-small-s16-bneck-narrow_1xb16-12e_synthetic-128x96.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(
    backbone=dict(conv_cfg=dict(conv_cfg, _delete_=True)),
    head=dict(conv_cfg=conv_cfg),
)
