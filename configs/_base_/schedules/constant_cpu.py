# A constant rate, so that a run goes on from its weights alone; validated and stored are averaged weights, whose
# horizon is an eighth of the iterations so far. AdamW, the backbone at 0.4 of the rate.
_base_ = ['../default_runtime.py']

train_cfg = dict(_delete_=True, type='ResumableIterLoop', max_iters=5000, val_interval=500)

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.4))),
    clip_grad=dict(max_norm=35),
)

param_scheduler = [dict(type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False)]

default_hooks = dict(
    memory_format=dict(type='ChannelsLastHook'),
    memory=dict(type='KeepMemoryHook'),
    average=dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=1e-4, gamma=8, update_buffers=True),
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=250, save_best=None, max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
