# The shipped network fine-tuned on a COCO file of your own: copy this file, and change the folder, the two annotation
# files and the keypoints, which need not be COCO's. The last convolution of another number of keypoints starts anew.
_base_ = [
    '../../../_base_/models/mobilenetv2-fpn.py',
    '../../../_base_/datasets/photographs_256x192.py',
    '../../../_base_/schedules/constant_cpu.py',
]

data_root = 'data/custom/'
train_annotations, val_annotations, images = 'annotations/train.json', 'annotations/val.json', 'images/'

# In the order of the file's "keypoints". The sigma says how exactly people mark a point: COCO has 0.025 for an eye and
# 0.107 for a hip.
names = ('nose', 'left_wrist', 'right_wrist', 'left_ankle', 'right_ankle')
swaps = ('', 'right_wrist', 'left_wrist', 'right_ankle', 'left_ankle')
sigmas = (0.026, 0.062, 0.062, 0.089, 0.089)
limbs = (('left_wrist', 'nose'), ('right_wrist', 'nose'), ('left_ankle', 'nose'), ('right_ankle', 'nose'))

metainfo = dict(
    dataset_name='custom',
    keypoint_info={
        index: dict(id=index, name=name, swap=swap, color=[51, 153, 255], type='')
        for index, (name, swap) in enumerate(zip(names, swaps, strict=True))
    },
    skeleton_info={index: dict(id=index, link=link, color=[0, 255, 0]) for index, link in enumerate(limbs)},
    joint_weights=[1.0] * len(names),
    sigmas=list(sigmas),
)
load_from = 'checkpoints/td-hm_dy-mobilenetv2-fpn_photographs-256x192.pth'
conv_cfg = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)
model = dict(
    backbone=dict(conv_cfg=dict(_delete_=True, **conv_cfg), init_cfg=None),
    neck=dict(init_cfg=None),
    head=dict(out_channels=len(names), init_cfg=None),
)

_dataset = dict(type='CocoDataset', data_root=data_root, data_prefix=dict(img=images), metainfo=metainfo)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        _delete_=True, **_dataset, ann_file=train_annotations, pipeline={{_base_.train_dataloader.dataset.pipeline}}
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True, **_dataset, ann_file=val_annotations, test_mode=True,
        pipeline={{_base_.val_dataloader.dataset.pipeline}},
    ),
)  # fmt: skip
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + val_annotations)
test_evaluator = val_evaluator

train_cfg = dict(max_iters=400, val_interval=100)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=20, start_factor=0.01, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=20, end=400, T_max=380, eta_min=5e-6, by_epoch=False),
]
