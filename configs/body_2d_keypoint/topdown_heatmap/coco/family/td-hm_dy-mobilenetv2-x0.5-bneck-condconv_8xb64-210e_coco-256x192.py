# CondConv with four kernels, as many as the paper's layers have (its authors take eight).
_base_ = ['../td-hm_mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

conv_cfg = dict(type='CondConv2d', num_kernels=4)

model = dict(
    backbone=dict(type='DyMobileNetV2', conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg),
)
