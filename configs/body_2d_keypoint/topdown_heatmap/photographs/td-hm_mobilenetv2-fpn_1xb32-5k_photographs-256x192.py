_base_ = [
    '../../../_base_/models/mobilenetv2-fpn.py',
    '../../../_base_/datasets/photographs_256x192.py',
    '../../../_base_/schedules/constant_cpu.py',
]

default_hooks = dict(further_validation={{_base_.further_validation}})
