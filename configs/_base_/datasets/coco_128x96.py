# COCO keypoints at an input of 128x96 (height x width), heatmaps 32x24, for training on a CPU: persons at their
# annotated boxes, flips and scaling alone, and narrow targets, with which a small network learns much sooner. A cell
# of these heatmaps is four pixels wide, so targets and decoding are unbiased (DARK) instead of rounded to cells.
_base_ = ['./coco_256x192.py']

codec = dict(
    type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.25, unbiased=True, blur_kernel_size=7
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.8, 1.25), rotate_prob=0),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(batch_size=16, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(bbox_file='', pipeline=val_pipeline))
test_dataloader = val_dataloader
