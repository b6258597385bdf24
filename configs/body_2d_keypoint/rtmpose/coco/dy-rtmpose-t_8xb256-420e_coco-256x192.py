# RTMPose-t with a dynamic backbone, stem and channel attention excepted, that starts from the static one's weights; it
# is not a network of the paper.
_base_ = ['./rtmpose-t_8xb256-420e_coco-256x192.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='dynamic',
        network=dict(_base_.model.backbone, init_cfg=None),
        conv_cfg=dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30),
        exclude=['stem.*', '*.attention.fc'],
        init_cfg=dict(_base_.model.backbone.init_cfg, type='WarmStart', noise=0.1),
    )
)
