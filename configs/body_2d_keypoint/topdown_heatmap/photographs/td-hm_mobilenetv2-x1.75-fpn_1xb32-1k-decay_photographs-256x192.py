_base_ = ['./td-hm_mobilenetv2-x1.75-fpn_1xb32-5k_photographs-256x192.py']

# The end of a run at a constant rate; load_from= gives its weights. The rate falls to a hundredth.
train_cfg = dict(max_iters=1000, val_interval=250)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=25, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=25, end=1000, T_max=975, eta_min=5e-6, by_epoch=False),
]

model = dict(backbone=dict(init_cfg=None), neck=dict(init_cfg=None), head=dict(init_cfg=None))
