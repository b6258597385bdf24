# What of the dynamic network matters: the number of kernels, an annealed temperature, the backbone or the head alone.
# The recipe, data, static network and that with four kernels are those of photographs_cpu.py, whose records are reused.
_base_ = ['./_base_/photographs_128x96.py']

title = 'Parts of the method, on a few thousand photographs'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_static = f'{_folder}td-hm_mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
_dynamic = f'{_folder}td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
_anneal = dict(type='TemperatureHook', start=30, end=1, duration=10)

networks = {
    'static': dict(config=_static),
    'k4': dict(config=_dynamic),
    'k1': dict(
        config=_dynamic, options={'model.backbone.conv_cfg.num_kernels': 1, 'model.head.conv_cfg.num_kernels': 1}
    ),
    'k2': dict(
        config=_dynamic, options={'model.backbone.conv_cfg.num_kernels': 2, 'model.head.conv_cfg.num_kernels': 2}
    ),
    'k8': dict(
        config=_dynamic, options={'model.backbone.conv_cfg.num_kernels': 8, 'model.head.conv_cfg.num_kernels': 8}
    ),
    'tau30to1': dict(config=_dynamic, options={'default_hooks.temperature': _anneal}),
    'backbone-only': dict(config=_dynamic, options={'model.head.conv_cfg': None}),
    'head-only': dict(config=_dynamic, options={'model.backbone.conv_cfg': None}),
}
comparisons = [(name, 'static') for name in ('k4', 'k1', 'k2', 'k8', 'tau30to1', 'backbone-only', 'head-only')]
comparisons += [(name, 'k4') for name in ('k1', 'k2', 'k8', 'tau30to1', 'backbone-only', 'head-only')]
seeds = [0, 1, 2]
reuses = ['photographs_cpu']
