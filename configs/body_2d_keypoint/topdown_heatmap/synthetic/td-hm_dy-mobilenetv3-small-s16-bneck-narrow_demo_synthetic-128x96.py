_base_ = [
    '../../../_base_/schedules/demo.py',
    '../../../_base_/datasets/synthetic_128x96.py',
    '../../../_base_/models/mobilenetv3-small-s16-bneck-narrow.py',
]

conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

model = dict(
    backbone=dict(conv_cfg=conv_cfg),
    head=dict(conv_cfg=conv_cfg, decoder=_base_.codec),
)

train_dataloader = dict(sampler=dict(type='InfiniteSampler', shuffle=True))
