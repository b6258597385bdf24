# What the experiments on photographs at 128x96 share: persons of COCO train2017 and Leeds Sports Pose Extended are
# trained on; AP and PCK on val2017 at annotated boxes, PCK on held-out images of Leeds Sports Pose Extended.
# PCK counts a joint as found within a tenth of the longer side of the person's box.
_base_ = ['./recipe_128x96.py']

metrics = ['coco/AP', 'coco/AR', 'coco/PCK', 'lspet/PCK']

_pck = dict(type='PCKAccuracy', thr=0.1, norm_item='bbox')
_evaluator = [
    dict(type='CocoMetric', ann_file='data/coco/annotations/person_keypoints_val2017.json'),
    dict(_pck, prefix='coco'),
]
_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='PackPoseInputs'),
]
_lspet = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='CocoDataset',
        data_root='data/coco/',
        data_mode='topdown',
        ann_file='annotations/lspet_val.json',
        data_prefix=dict(img='lspet/'),
        test_mode=True,
        pipeline=_pipeline,
    ),
)

options = dict(
    val_evaluator=_evaluator,
    test_evaluator=_evaluator,
    default_hooks=dict(
        further_validation=dict(
            type='FurtherValidationHook', dataloader=_lspet, evaluator=[dict(_pck, prefix='lspet')]
        ),
    ),
)
