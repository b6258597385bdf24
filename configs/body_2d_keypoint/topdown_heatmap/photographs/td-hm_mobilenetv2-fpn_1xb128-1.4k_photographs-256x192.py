_base_ = [
    '../../../_base_/models/mobilenetv2-fpn.py',
    '../../../_base_/datasets/photographs_256x192.py',
    '../../../_base_/schedules/flat_cosine_gpu.py',
]

model = dict(train_cfg=dict(compute_acc=False))  # NumPy computes it, while the GPU would wait
# Neighbours are pasted in front and patches dropped, by transforms that tools/train.py registers.
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    dataset=dict(
        pipeline=[
            *_base_.train_pipeline[:6],
            dict(
                type='PasteNeighbour',
                prob=0.3,
                ann_file='data/photographs/photographs/coco_train.json',
                data_root='data/photographs',
            ),
            _base_.train_pipeline[6],
            dict(type='DropPatches', prob=0.3),
            *_base_.train_pipeline[7:],
        ]
    ),
)
default_hooks = dict(further_validation={{_base_.further_validation}})
