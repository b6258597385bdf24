# A short schedule for small sets.
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))

param_scheduler = dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10)

train_cfg = dict(type='ResumableEpochLoop', max_epochs=10, val_interval=1)

auto_scale_lr = dict(base_batch_size=16)
