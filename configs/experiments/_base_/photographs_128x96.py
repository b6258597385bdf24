# What the experiments on photographs at 128x96 share: persons of COCO train2017 and Leeds Sports Pose Extended are
# trained on; AP and PCK on val2017 at annotated boxes, PCK on held-out pictures of Leeds Sports Pose Extended.
# PCK counts a joint as found within a tenth of the longer side of the person's box.
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

# The recipe was fixed on the static network alone (photographs_recipe_cpu.py) and is the same for all: Adam and batches
# of 16 as in the configs, the learning rate falling along a cosine, and the loss a thousand times as large: of the mean
# of squares, gradients are so small that the number that Adam adds to their root matters.
_epochs = 16
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
    model=dict(head=dict(loss=dict(loss_weight=1000))),
    optim_wrapper=dict(optimizer=dict(fused=True)),
    val_evaluator=_evaluator,
    test_evaluator=_evaluator,
    train_cfg=dict(max_epochs=_epochs, val_interval=4),
    param_scheduler=_schedule,
    default_hooks=dict(
        memory_format=dict(type='ChannelsLastHook'),
        further_validation=dict(
            type='FurtherValidationHook', dataloader=_lspet, evaluator=[dict(_pck, prefix='lspet')]
        ),
        checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
    ),
)
