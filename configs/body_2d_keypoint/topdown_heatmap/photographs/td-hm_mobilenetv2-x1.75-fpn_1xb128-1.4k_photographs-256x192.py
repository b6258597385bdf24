_base_ = ['./td-hm_mobilenetv2-fpn_1xb128-1.4k_photographs-256x192.py']

# MoveNet Thunder
start = 'work_dirs/movenet/thunder.pth'

model = dict(
    backbone=dict(widen_factor=1.75, last_channels=1280, init_cfg=dict(checkpoint=start)),
    neck=dict(in_channels=(40, 56, 112, 1280), init_cfg=dict(checkpoint=start)),
    head=dict(init_cfg=dict(checkpoint=start)),
)
