# A short schedule for small data sets and batches of 16: Adam, 2e-3, a tenth of it from epoch 28 and of that from 33.
_base_ = ['../default_runtime.py']

train_cfg = dict(max_epochs=36, val_interval=2)

optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))

param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=36, milestones=[28, 33], gamma=0.1, by_epoch=True),
]

auto_scale_lr = dict(base_batch_size=16)

default_hooks = dict(
    memory_format=dict(type='ChannelsLastHook'),
    memory=dict(type='KeepMemoryHook'),
    logger=dict(interval=20),
    checkpoint=dict(interval=1, save_best='coco/AP', rule='greater', max_keep_ckpts=2),
)
