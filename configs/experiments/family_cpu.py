# Each operator in the backbone of the pyramid network, from MoveNet's static weights, by one recipe and budget: 600
# iterations on photographs at a constant rate, of which the averaged weights are scored.
# What differs is what an operator's authors anneal, over shares of the training as theirs: ODConv's temperature falls
# from 30 to 1, KernelWarehouse's from 1, where it is the static network, to 0. Kernels of DyConv and CondConv that
# start as copies have noise of a tenth of their deviation, so that they part. ODConv's attention over kernels is drawn
# so wide that its copies part by themselves, and noise would destroy the start. DCD and KernelWarehouse have no copies.
title = 'The family of dynamic convolutions on photographs, from one static start'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/photographs/'
_static = f'{_folder}td-hm_mobilenetv2-fpn_1xb32-5k_photographs-256x192.py'
_dynamic = f'{_folder}td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192.py'
_conv_cfg, _temperature = 'model.backbone.conv_cfg', 'default_hooks.temperature'
_noise = 'model.backbone.init_cfg.noise'
_anneal = dict(type='TemperatureHook', by_epoch=False)

networks = {
    'static': dict(config=_static),
    'dyconv': dict(config=_dynamic),
    'condconv': dict(config=_dynamic, options={_conv_cfg: dict(_delete_=True, type='CondConv2d', num_kernels=4)}),
    'odconv': dict(
        config=_dynamic,
        options={
            _conv_cfg: dict(_delete_=True, type='ODConv2d', num_kernels=4),
            _noise: 0.0,
            _temperature: dict(_anneal, start=30, end=1, duration=40),
        },
    ),
    'odconv-k1': dict(
        config=_dynamic,
        options={
            _conv_cfg: dict(_delete_=True, type='ODConv2d', num_kernels=1),
            _temperature: dict(_anneal, start=30, end=1, duration=40),
        },
    ),
    'dcd': dict(config=_dynamic, options={_conv_cfg: dict(_delete_=True, type='DCDConv2d')}),
    'kernelwarehouse': dict(
        config=_dynamic,
        options={
            _conv_cfg: dict(_delete_=True, type='KernelWarehouse2d', budget=1),
            _temperature: dict(_anneal, start=1, end=0, duration=60),
        },
    ),
}
comparisons = [(name, 'static') for name in networks if name != 'static']
seeds = [0, 1]
metrics = ['coco/AP', 'OKS', 'lspet/PCK']

options = dict(train_cfg=dict(max_iters=600, val_interval=600), optim_wrapper=dict(type='CpuAmpOptimWrapper'))
