_base_ = ['./td-hm_dy-mobilenetv2-x1.75-fpn_1xb32-5k_photographs-256x192.py']

# Shorter: 800 iterations at a constant rate, then 700 in which it falls to a hundredth.
train_cfg = dict(max_iters=1500, val_interval=250)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=800, end=1500, T_max=700, eta_min=5e-6, by_epoch=False),
]
