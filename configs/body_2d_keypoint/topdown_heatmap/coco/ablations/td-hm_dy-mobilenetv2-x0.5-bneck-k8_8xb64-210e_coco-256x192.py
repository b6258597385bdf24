# Eight kernels in each layer in place of four.
_base_ = ['../td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py']

model = dict(
    backbone=dict(conv_cfg=dict(num_kernels=8)),
    head=dict(conv_cfg=dict(num_kernels=8)),
)
