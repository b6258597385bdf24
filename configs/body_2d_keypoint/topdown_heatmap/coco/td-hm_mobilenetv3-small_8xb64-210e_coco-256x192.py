_base_ = [
    '../../../_base_/schedules/adam_210e.py',
    '../../../_base_/datasets/coco_256x192.py',
    '../../../_base_/models/topdown_heatmap.py',
]

model = dict(
    backbone=dict(type='MobileNetV3', arch='small'),
    head=dict(in_channels=96, decoder=_base_.codec),
)
