# Which annealing does movenet_cpu.py compare? Four settings with seeds of their own, 400 iterations each: how alike
# the kernels begin (noise of their initial copies, as a share of their deviation), and for how long the temperature
# falls from 30 to 1.
_base_ = ['./movenet_cpu.py']

title = 'Noise and length of an annealed temperature, from MoveNet Lightning'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/photographs/'
_dynamic = f'{_folder}td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py'
_noise, _temperature = 'model.backbone.init_cfg.noise', 'default_hooks.temperature'
_anneal = dict(type='TemperatureHook', start=30, end=1, by_epoch=False)

networks = {
    '_delete_': True,
    'noise0.3-100': dict(
        config=_dynamic,
        options={_temperature: dict(_anneal, duration=100), _noise: 0.3, 'default_hooks.average.update_buffers': False},
    ),
    'noise0.1-100': dict(
        config=_dynamic,
        options={_temperature: dict(_anneal, duration=100), _noise: 0.1, 'default_hooks.average.update_buffers': False},
    ),
    'noise0.3-400': dict(
        config=_dynamic,
        options={_temperature: dict(_anneal, duration=400), _noise: 0.3, 'default_hooks.average.update_buffers': False},
    ),
    'noise0.1-200': dict(
        config=_dynamic,
        options={_temperature: dict(_anneal, duration=200), _noise: 0.1, 'default_hooks.average.update_buffers': False},
    ),
}
comparisons = [('noise0.1-100', 'noise0.3-100'), ('noise0.3-400', 'noise0.3-100'), ('noise0.1-200', 'noise0.1-100')]
seeds = [10, 11]

options = dict(
    train_cfg=dict(max_iters=400, val_interval=400),
    param_scheduler=[
        dict(type='LinearLR', begin=0, end=25, start_factor=0.01, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=25, end=400, T_max=375, eta_min=5e-6, by_epoch=False),
    ],
)
