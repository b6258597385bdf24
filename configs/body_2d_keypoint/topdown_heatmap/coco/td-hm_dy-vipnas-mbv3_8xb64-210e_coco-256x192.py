# MMPose's ViPNAS-MobileNetV3 with a dynamic backbone, stem and squeeze-and-excitation excepted; it is not a network
# of the paper.
_base_ = ['mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_vipnas-mbv3_8xb64-210e_coco-256x192.py']

custom_imports = dict(imports=['dyconv_pose.registration'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='dynamic',
        network=_base_.model.backbone,
        conv_cfg=dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30),
        exclude=['conv1.*', '*.se.*'],
    )
)

train_cfg = dict(_delete_=True, type='ResumableEpochLoop', max_epochs=210, val_interval=10)
