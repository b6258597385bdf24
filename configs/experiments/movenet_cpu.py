# Does attention over kernels help where AP is off its floor? From the same MoveNet start, with the same recipe: the
# static network; K = 4 at temperature 30; the temperature annealed from 30 to 1; and the control for more parameters,
# K = 4 kernels mixed by learned weights that do not see the image.
title = 'Static, dynamic and a control for parameters, from MoveNet Lightning'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/photographs/'
_dynamic = f'{_folder}td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py'

networks = {
    'static': dict(config=f'{_folder}td-hm_mobilenetv2-fpn_1xb32-5k_photographs-256x192.py'),
    'dynamic': dict(config=_dynamic),
    'annealed': dict(
        config=_dynamic,
        options={
            'default_hooks.temperature': dict(type='TemperatureHook', start=30, end=1, duration=100, by_epoch=False),
            'model.backbone.init_cfg.noise': 0.1,
            'default_hooks.average.update_buffers': False,
        },
    ),
    'learned': dict(
        config=_dynamic,
        options={
            'custom_imports.imports': ['dyconv_pose.registration', 'experiments.controls'],
            'model.backbone.conv_cfg.type': 'LearnedMixtureConv2d',
        },
    ),
}
comparisons = [('dynamic', 'static'), ('annealed', 'static'), ('learned', 'static'), ('dynamic', 'learned')]
seeds = [0, 1, 2]
metrics = ['coco/AP', 'OKS', 'lspet/PCK']

# A thousand iterations, in which the rate falls to a hundredth; forward passes in bfloat16, which takes half the time.
options = dict(
    train_cfg=dict(max_iters=1000, val_interval=1000),
    optim_wrapper=dict(type='CpuAmpOptimWrapper'),
    param_scheduler=[
        dict(type='LinearLR', begin=0, end=25, start_factor=0.01, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=25, end=1000, T_max=975, eta_min=5e-6, by_epoch=False),
    ],
)
