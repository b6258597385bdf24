# From scratch, as the paper (section 5.2): Adam, 1e-3, a tenth of it from epoch 170 and of that from epoch 200.
# As MMPose's MobileNetV2 configuration and not stated in the paper: warm-up and the base batch size for scaling.
_base_ = ['../default_runtime.py']

train_cfg = dict(max_epochs=210, val_interval=10)

optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))

param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=210, milestones=[170, 200], gamma=0.1, by_epoch=True),
]

auto_scale_lr = dict(base_batch_size=512)

default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater', max_keep_ckpts=3))
