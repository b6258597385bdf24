# The paper's type B on photographs: MoveNet Lightning's backbone, made dynamic, and a new dynamic head.
_base_ = ['./td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py']

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(
    backbone=dict(out_indices=(7,)),
    neck=None,
    head=dict(
        _delete_=True,
        type='BottleneckHead',
        conv_cfg=conv_cfg,
        in_channels=1280,
        out_channels=17,
        loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=1000.0),
        decoder={{_base_.codec}},
    ),
)

train_cfg = dict(max_iters=600, val_interval=200)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=25, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=25, end=600, T_max=575, eta_min=5e-6, by_epoch=False),
]
