# A short schedule for small data sets and small batches: Adam, 1e-3, a tenth of it from epoch 80 and of that from 94.
_base_ = ['../default_runtime.py']

train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=10)

optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))

param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=100, milestones=[80, 94], gamma=0.1, by_epoch=True),
]

auto_scale_lr = dict(base_batch_size=16)

default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=1, save_best='coco/AP', rule='greater', max_keep_ckpts=2)
)
