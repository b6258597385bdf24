# Trained on 4,000 drawn pictures (about 8,000 persons); docs/data.md has the command that makes them.
_base_ = [
    '../../../_base_/schedules/adam_100e.py',
    '../../../_base_/datasets/synthetic_128x96.py',
    '../../../_base_/models/mobilenetv3-small-bneck-narrow.py',
]

model = dict(head=dict(decoder=_base_.codec))

train_cfg = dict(max_epochs=24, val_interval=2)

param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=24, milestones=[18, 22], gamma=0.1, by_epoch=True),
]
