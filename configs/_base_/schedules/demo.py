# A few minutes on two CPU cores, starting from a small trained network: the demonstration of `make demo`.
_base_ = ['../default_runtime.py']

load_from = 'checkpoints/td-hm_dy-mobilenetv3-small-s16-bneck-narrow_synthetic-128x96.pth'

train_cfg = dict(_delete_=True, type='ResumableIterLoop', max_iters=1000, val_interval=500)

optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))

param_scheduler = [
    dict(type='LinearLR', begin=0, end=100, start_factor=0.001, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=100, end=1000, T_max=900, eta_min=0, by_epoch=False),
]

default_hooks = dict(
    memory_format=dict(type='ChannelsLastHook'),
    memory=dict(type='KeepMemoryHook'),
    logger=dict(interval=50, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=500, save_best='coco/AP', rule='greater', max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False)
