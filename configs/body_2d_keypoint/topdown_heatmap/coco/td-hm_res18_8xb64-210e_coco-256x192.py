_base_ = [
    '../../../_base_/schedules/adam_210e.py',
    '../../../_base_/datasets/coco_256x192.py',
    '../../../_base_/models/topdown_heatmap.py',
]

model = dict(
    backbone=dict(type='ResNet', depth=18),
    head=dict(in_channels=512, decoder=_base_.codec),
)
