# What the experiments on drawn people share. The codec is the unbiased one of configs/_base_/datasets/coco_128x96.py.
metrics = ['coco/AP', 'coco/AR', 'coco/PCK']

_codec = dict(
    type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.25, unbiased=True, blur_kernel_size=7
)
_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.8, 1.25), rotate_prob=0),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='GenerateTarget', encoder=_codec),
    dict(type='PackPoseInputs'),
]
_evaluator = [
    dict(type='CocoMetric', ann_file='data/synthetic/annotations/person_keypoints_val2017.json'),
    dict(type='PCKAccuracy', thr=0.1, norm_item='bbox', prefix='coco'),
]
_epochs = 24
_schedule = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=_epochs,
        T_max=_epochs,
        eta_min=1e-5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]

options = dict(
    model=dict(head=dict(decoder=_codec)),
    train_dataloader=dict(
        sampler=dict(type='FreshSampler', shuffle=False),
        dataset=dict(_delete_=True, type='DrawnPeopleDataset', num_persons=2880, seed=1, pipeline=_pipeline),
    ),
    val_evaluator=_evaluator,
    test_evaluator=_evaluator,
    train_cfg=dict(max_epochs=_epochs, val_interval=4),
    param_scheduler=_schedule,
    default_hooks=dict(
        memory_format=dict(type='ChannelsLastHook'),
        checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
    ),
)
