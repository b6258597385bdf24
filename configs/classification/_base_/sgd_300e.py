# The paper's schedule for MobileNets, as recalled: SGD with momentum 0.9, 0.05 falling to zero along a cosine over 300
# epochs. Weight decay and the base batch size are of this project's choosing.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=4e-5))

param_scheduler = dict(type='CosineAnnealingLR', T_max=300, by_epoch=True, begin=0, end=300)

train_cfg = dict(type='ResumableEpochLoop', max_epochs=300, val_interval=1)

auto_scale_lr = dict(base_batch_size=256)
