# The paper's schedule for ResNets, as recalled: SGD with momentum 0.9, 0.1, a tenth of it from epochs 30, 60 and 90 on,
# 100 epochs. Weight decay and the base batch size are of this project's choosing.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))

param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[30, 60, 90], gamma=0.1)

train_cfg = dict(type='ResumableEpochLoop', max_epochs=100, val_interval=1)

auto_scale_lr = dict(base_batch_size=256)
