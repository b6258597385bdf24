# The recipe for photographs, one change at a time, on the static network from MoveNet Lightning: 400 iterations in
# which the rate falls to a hundredth, forward passes in bfloat16.
_base_ = ['../_base_/datasets/photographs_256x192.py']

title = 'One change of the recipe at a time, static, from MoveNet Lightning'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/photographs/'
_static = dict(config=f'{_folder}td-hm_mobilenetv2-fpn_1xb32-5k_photographs-256x192.py')
_crop, _colour, _end = _base_.train_pipeline[:6], _base_.train_pipeline[6:7], _base_.train_pipeline[7:]
_neighbour = dict(
    type='PasteNeighbour', ann_file='data/photographs/photographs/coco_train.json', data_root='data/photographs'
)
_pipeline = 'train_dataloader.dataset.pipeline'

_taught = {
    'model.type': 'TaughtPoseEstimator',
    'model.teacher': dict(
        config=f'{_folder}td-hm_mobilenetv2-x1.75-fpn_1xb32-5k_photographs-256x192.py',
        checkpoint='work_dirs/teacher.pth',
    ),
}

networks = {
    'recipe': _static,
    'photometric': dict(_static, options={_pipeline: [*_crop, dict(type='PhotometricDistortion'), *_end]}),
    'neighbours': dict(_static, options={_pipeline: [*_crop, _neighbour, *_colour, *_end]}),
    'patches': dict(_static, options={_pipeline: [*_crop, *_colour, dict(type='DropPatches'), *_end]}),
    'half the rate': dict(_static, options={'optim_wrapper.optimizer.lr': 2.5e-4}),
    'teacher': dict(_static, options=_taught),
    'teacher where no label is': dict(_static, options={**_taught, 'model.share': 0.0}),
    'no averaging': dict(_static, options={'default_hooks.average.momentum': 0.999}),
}
comparisons = [(name, 'recipe') for name in networks if name != 'recipe']
seeds = [0, 1]
metrics = ['coco/AP', 'OKS', 'lspet/PCK']

options = dict(
    custom_imports=dict(imports=['dyconv_pose.registration', 'crop_augmentations', 'experiments.teaching']),
    train_cfg=dict(max_iters=400, val_interval=400),
    optim_wrapper=dict(type='CpuAmpOptimWrapper'),
    param_scheduler=[
        dict(type='LinearLR', begin=0, end=25, start_factor=0.01, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=25, end=400, T_max=375, eta_min=5e-6, by_epoch=False),
    ],
)
