_base_ = [
    '../../../_base_/models/mobilenetv2-fpn.py',
    '../../../_base_/datasets/photographs_256x192.py',
    '../../../_base_/schedules/flat_cosine_gpu.py',
]

model = dict(train_cfg=dict(compute_acc=False))  # NumPy computes it, while the GPU would wait
train_dataloader = dict(batch_size=64, num_workers=2)
default_hooks = dict(further_validation={{_base_.further_validation}})
