_base_ = [
    '../../../_base_/schedules/adam_210e.py',
    '../../../_base_/datasets/coco_256x192.py',
    '../../../_base_/models/topdown_heatmap.py',
]

model = dict(
    backbone=dict(type='MobileNetV2', widen_factor=0.5),
    head=dict(in_channels=1280, decoder=_base_.codec),
)
