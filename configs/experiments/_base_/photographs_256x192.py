# The photographs of photographs_128x96.py at the paper's size, for the configs of the paper's networks: their
# augmentation, optimiser and schedule stay, batches of 64 on one GPU; scored at annotated boxes.
metrics = ['coco/AP', 'coco/AR', 'coco/PCK', 'lspet/PCK']

_pck = dict(type='PCKAccuracy', thr=0.1, norm_item='bbox')
_evaluator = [
    dict(type='CocoMetric', ann_file='data/coco/annotations/person_keypoints_val2017.json'),
    dict(_pck, prefix='coco'),
]
_codec = dict(type='MSRAHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
_train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody'),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=(192, 256)),
    dict(type='GenerateTarget', encoder=_codec),
    dict(type='PackPoseInputs'),
]
_val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(192, 256)),
    dict(type='PackPoseInputs'),
]
_coco = dict(
    type='CocoDataset',
    data_root='data/coco/',
    data_mode='topdown',
    ann_file='annotations/person_keypoints_train2017.json',
    data_prefix=dict(img='train2017/'),
    pipeline=[],
)
_lspet = dict(_coco, ann_file='annotations/lspet_train.json', data_prefix=dict(img='lspet/'))
_held_out = dict(_lspet, ann_file='annotations/lspet_val.json', test_mode=True, pipeline=_val_pipeline)

options = dict(
    train_dataloader=dict(
        num_workers=8,
        dataset=dict(
            _delete_=True,
            type='CombinedDataset',
            metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
            datasets=[_coco, _lspet],
            pipeline=_train_pipeline,
        ),
    ),
    val_dataloader=dict(dataset=dict(bbox_file='')),
    test_dataloader=dict(dataset=dict(bbox_file='')),
    val_evaluator=_evaluator,
    test_evaluator=_evaluator,
    train_cfg=dict(val_interval=10),
    default_hooks=dict(
        further_validation=dict(
            type='FurtherValidationHook',
            dataloader=dict(
                batch_size=32,
                num_workers=2,
                persistent_workers=True,
                sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
                dataset=_held_out,
            ),
            evaluator=[dict(_pck, prefix='lspet')],
        ),
        checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
    ),
)
