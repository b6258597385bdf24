# Static against dynamic on synthetic people, hardly any of whom comes twice, so that nothing can be memorised: a run
# sees 69,120 persons (24 epochs of 2,880), and the images hold 68,465. The small network and the recipe are those of
# photographs_cpu.py, on a CPU core. Three seeds were planned; the fourth was added after two had been seen, since they
# differed by more than expected: these four suggest, and the test is synthetic_new_seeds_cpu.py.
# The images: python tools/dataset_converters/make_sample_set.py --out data/synthetic_large --num-train 34000 \
#     --num-val 600 --seed 0
_base_ = ['./_base_/recipe_128x96.py']

title = 'Static against dynamic on synthetic people, others in every epoch'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_tail = 'mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'

networks = {
    'mobilenetv3-small': dict(config=f'{_folder}td-hm_{_tail}'),
    'dy-mobilenetv3-small': dict(config=f'{_folder}td-hm_dy-{_tail}'),
}
comparisons = [('dy-mobilenetv3-small', 'mobilenetv3-small')]
seeds = [0, 1, 2, 3]
metrics = ['coco/AP', 'coco/AR', 'coco/PCK']

_root = 'data/synthetic_large/'
_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0, scale_factor=(0.8, 1.25), rotate_prob=0),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(
        type='GenerateTarget',
        encoder=dict(
            type='MSRAHeatmap',
            input_size=(96, 128),
            heatmap_size=(24, 32),
            sigma=1.25,
            unbiased=True,
            blur_kernel_size=7,
        ),
    ),
    dict(type='PackPoseInputs'),
]
_train_set = dict(
    _delete_=True,
    type='CocoDataset',
    data_root=_root,
    data_mode='topdown',
    ann_file='annotations/person_keypoints_train2017.json',
    data_prefix=dict(img='train2017/'),
    pipeline=_pipeline,
)
_evaluator = [
    dict(type='CocoMetric', ann_file=_root + 'annotations/person_keypoints_val2017.json'),
    dict(type='PCKAccuracy', thr=0.1, norm_item='bbox', prefix='coco'),
]
_epochs = 24
_warm_up, _cosine = _base_.options.param_scheduler

options = dict(
    custom_imports=dict(imports=['dyconv_pose.registration', 'experiments.fresh_sampler']),
    train_dataloader=dict(sampler=dict(_delete_=True, type='FreshSampler', num_samples=2880), dataset=_train_set),
    val_dataloader=dict(dataset=dict(data_root=_root)),
    test_dataloader=dict(dataset=dict(data_root=_root)),
    val_evaluator=_evaluator,
    test_evaluator=_evaluator,
    train_cfg=dict(max_epochs=_epochs),
    param_scheduler=[_warm_up, dict(_cosine, end=_epochs, T_max=_epochs)],
)
