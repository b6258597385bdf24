# For one GPU: float16, a rate that is constant for the first half and then falls along a cosine to a hundredth. AdamW,
# the backbone at 0.4 of the rate; validated and stored are averaged weights, whose horizon is an eighth of the
# iterations so far.
_base_ = ['../default_runtime.py']

iterations = 1400
train_cfg = dict(_delete_=True, type='ResumableIterLoop', max_iters=iterations, val_interval=iterations)

optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.4))),
    clip_grad=dict(max_norm=35),
)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR', begin=iterations // 2, end=iterations, T_max=iterations // 2, eta_min=1e-5,
        by_epoch=False,
    ),
]  # fmt: skip

default_hooks = dict(
    average=dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=1e-4, gamma=8, update_buffers=True),
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=350, save_best=None, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
