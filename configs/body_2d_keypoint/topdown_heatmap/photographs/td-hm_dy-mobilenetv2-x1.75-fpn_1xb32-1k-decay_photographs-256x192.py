_base_ = ['./td-hm_mobilenetv2-x1.75-fpn_1xb32-1k-decay_photographs-256x192.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(conv_cfg=dict(_delete_=True, **conv_cfg)))
