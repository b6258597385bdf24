# For a CPU and a small part of COCO: Leeds Sports Pose Extended (converted to COCO's format and keypoints, its five
# missing face points unlabelled) is trained on beside whatever persons data/coco holds.
_base_ = ['./coco_128x96.py']

coco = dict(
    type='CocoDataset',
    data_root=_base_.data_root,
    data_mode='topdown',
    ann_file='annotations/person_keypoints_train2017.json',
    data_prefix=dict(img='train2017/'),
    pipeline=[],
)
lspet = dict(coco, ann_file='annotations/lspet_train.json', data_prefix=dict(img='lspet/'))

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        datasets=[coco, lspet],
        pipeline=_base_.train_pipeline,
    )
)
