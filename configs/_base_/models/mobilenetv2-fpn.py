# MoveNet Lightning as a top-down network: MobileNetV2 with TensorFlow's padding, its feature pyramid and its heatmap
# branch. The heatmaps come out of a sigmoid, with peaks near one. The start: tools/model_converters/movenet.py.
_base_ = ['./topdown_heatmap.py']

start = 'work_dirs/movenet/lightning.pth'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        type='DyMobileNetV2',
        conv_cfg=None,
        widen_factor=1.0,
        padding='same',
        out_indices=(1, 2, 3, 7),
        init_cfg=dict(type='Pretrained', checkpoint=start, prefix='backbone.'),
    ),
    neck=dict(
        type='SeparableFPN',
        conv_cfg=None,
        in_channels=(24, 32, 64, 1280),
        init_cfg=dict(type='Pretrained', checkpoint=start, prefix='neck.'),
    ),
    head=dict(
        type='SeparableHead',
        conv_cfg=None,
        loss=dict(loss_weight=1000.0),
        decoder=dict(
            type='MSRAHeatmap',
            input_size=(192, 256),
            heatmap_size=(48, 64),
            sigma=2,
            unbiased=True,
            blur_kernel_size=11,
        ),
        init_cfg=dict(type='Pretrained', checkpoint=start, prefix='head.'),
    ),
)
