# Photographs of people: COCO's few persons six times, as they have the most human labels, and fashion, sports and
# varied photographs once. Under a root of their own, data/photographs (docs/photographs.md). Validation and test on
# 248 persons of COCO val2017 at annotated boxes, and by PCK on 150 athletes of Leeds Sports Pose Extended.
codec = dict(
    type='MSRAHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2, unbiased=True, blur_kernel_size=11
)

data_root = 'data/photographs/'
val_annotations = data_root + 'real_people/annotations/person_keypoints_val2017.json'

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody', prob=0.3),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.1,
        shift_prob=0.3,
        scale_factor=(0.75, 1.3),
        rotate_factor=40,
        rotate_prob=0.5,
    ),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

_source = dict(type='CocoDataset', data_root=data_root, data_mode='topdown', data_prefix=dict(img=''), pipeline=[])
_coco = dict(_source, ann_file='photographs/coco_train.json')
_others = [dict(_source, ann_file=f'photographs/{name}.json') for name in ('fashion', 'lspet_clean', 'varied')]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        datasets=[*[_coco] * 6, *_others],
        pipeline=train_pipeline,
    ),
)
_val_coco = dict(
    type='CocoDataset',
    data_root=data_root,
    data_mode='topdown',
    ann_file='real_people/annotations/person_keypoints_val2017.json',
    data_prefix=dict(img='real_people/val2017/'),
    test_mode=True,
    pipeline=val_pipeline,
)
_val_lspet = dict(
    _val_coco,
    ann_file='real_people/annotations/lspet_val.json',
    data_prefix=dict(img='real_people/lspet/'),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=_val_coco,
)
test_dataloader = val_dataloader

# A person's score is the mean of all keypoints' scores: the heatmaps come out of a sigmoid, and low ones tell too.
val_evaluator = dict(type='CocoMetric', ann_file=val_annotations, keypoint_score_thr=0.0)
test_evaluator = val_evaluator

further_validation = dict(
    type='FurtherValidationHook',
    dataloader=dict(val_dataloader, dataset=_val_lspet),
    evaluator=[dict(type='PCKAccuracy', thr=0.1, norm_item='bbox', prefix='lspet')],
)
