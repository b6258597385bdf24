# The recipe of the experiments at 128x96. It was fixed with the static network alone (photographs_recipe_cpu.py has a
# part of that) and is the same for all: Adam and batches of 16 as in the configs, the learning rate falling along a
# cosine, and the loss a thousand times as large: of the mean of squares, gradients are so small that the number that
# Adam adds to their root matters.
_epochs = 16
_schedule = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=_epochs,
        T_max=_epochs,
        eta_min=1e-5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]

options = dict(
    model=dict(head=dict(loss=dict(loss_weight=1000))),
    optim_wrapper=dict(optimizer=dict(fused=True)),
    train_cfg=dict(max_epochs=_epochs, val_interval=4),
    param_scheduler=_schedule,
    default_hooks=dict(
        checkpoint=dict(interval=1, max_keep_ckpts=2, save_best=None),
    ),
)
