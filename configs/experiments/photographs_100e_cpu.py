# Static against dynamic on a few thousand photographs for a hundred epochs, since heatmaps trained from nothing say
# little after the 16 of photographs_cpu.py: its networks and recipe, the cosine stretched; for one CPU core.
_base_ = ['./photographs_cpu.py']

title = 'Static against dynamic on a few thousand photographs, a hundred epochs'

_epochs = 100
_warm_up, _cosine = _base_.options.param_scheduler

options = dict(
    train_cfg=dict(max_epochs=_epochs, val_interval=10),
    param_scheduler=[_warm_up, dict(_cosine, end=_epochs, T_max=_epochs)],
)
