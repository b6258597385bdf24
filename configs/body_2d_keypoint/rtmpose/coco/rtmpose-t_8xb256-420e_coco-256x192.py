# MMPose's RTMPose-t without MMDetection and Albumentations, of which its config asks for parts:
# - MMDetection's CSPNeXt and YOLOXHSVRandomAug are MMPose's of the same names;
# - in place of Albumentations' blurs and cut-outs there is MMPose's PhotometricDistortion, which hides nothing;
# - MMDetection's PipelineSwitchHook is left out: the last 30 epochs are augmented as all others.
_base_ = ['mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py']

custom_imports = dict(imports=['dyconv_pose.registration'], allow_failed_imports=False)

model = dict(backbone=dict(_scope_='mmpose'))

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody'),
    dict(type='RandomBBoxTransform', scale_factor=[0.6, 1.4], rotate_factor=80),
    dict(type='TopdownAffine', input_size=_base_.codec.input_size),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='PhotometricDistortion'),
    dict(type='GenerateTarget', encoder=_base_.codec),
    dict(type='PackPoseInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

train_cfg = dict(_delete_=True, type='ResumableEpochLoop', max_epochs=420, val_interval=10)
custom_hooks = []
