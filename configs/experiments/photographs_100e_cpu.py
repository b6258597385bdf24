# Static against dynamic on a few thousand photographs for a hundred epochs, since heatmaps trained from nothing say
# little after the 16 of photographs_cpu.py: the small pair of that experiment and its recipe, the cosine stretched; for
# one CPU core, up to an hour a run.
_base_ = ['./_base_/photographs_128x96.py']

title = 'Static against dynamic on a few thousand photographs, a hundred epochs'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_tail = 'mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'

networks = {
    'mobilenetv3-small': dict(config=f'{_folder}td-hm_{_tail}'),
    'dy-mobilenetv3-small': dict(config=f'{_folder}td-hm_dy-{_tail}'),
}
comparisons = [('dy-mobilenetv3-small', 'mobilenetv3-small')]
seeds = [0, 1, 2]

_epochs = 100
_warm_up, _cosine = _base_.options.param_scheduler

options = dict(
    train_cfg=dict(max_epochs=_epochs, val_interval=10),
    param_scheduler=[_warm_up, dict(_cosine, end=_epochs, T_max=_epochs)],
)
