# Starts from the network that was trained on synthetic people (docs/trained.md).
_base_ = [
    '../../../_base_/schedules/adam_36e_cpu.py',
    '../../../_base_/datasets/coco+lspet_128x96.py',
    '../../../_base_/models/mobilenetv3-small-s16-bneck-narrow.py',
]

load_from = 'checkpoints/td-hm_dy-mobilenetv3-small-s16-bneck-narrow_synthetic-128x96.pth'

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(
    backbone=dict(conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg, decoder=_base_.codec),
)

train_cfg = dict(max_epochs=20)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=200, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=20, milestones=[13, 18], gamma=0.1, by_epoch=True),
]
