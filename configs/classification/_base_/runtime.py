# MMPretrain's runtime, with this project's components.
_base_ = ['mmpretrain::_base_/default_runtime.py']

custom_imports = dict(
    imports=['dyconv_pose.registration', 'dyconv_pose.datasets.classification_folders'], allow_failed_imports=False
)

default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook', save_best='accuracy/top1', rule='greater', max_keep_ckpts=3)
)
