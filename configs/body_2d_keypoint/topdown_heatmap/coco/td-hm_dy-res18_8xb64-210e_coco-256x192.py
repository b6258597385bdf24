_base_ = ['./td-hm_res18_8xb64-210e_coco-256x192.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(backbone=dict(type='DyResNet', conv_cfg=conv_cfg))
