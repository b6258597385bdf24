"""``--cfg-options`` that nothing reads are refused, with the place where the setting is."""

import pytest
from config_options import load_config_with
from tiny_coco import CONFIG

UNREAD = {
    'optimizer.lr=0.1': ['optimizer', 'optim_wrapper.optimizer.lr'],  # MMPose 0.x's
    'total_epochs=3': ['total_epochs'],
    'data.samples_per_gpu=3': ['data'],
    'data_root=elsewhere/': ['data_root', 'val_dataloader.dataset.data_root'],  # a variable that was read already
    'codec.sigma=3': ['codec'],
    'evaluation.interval=1': ['evaluation'],
    'work-dir=out': ['work-dir', 'work_dir'],
    'env_cfg.cudnn_bench=True': ['env_cfg.cudnn_bench', 'cudnn_benchmark'],
    'auto_scale_lr.enabel=True': ['auto_scale_lr.enabel', 'enable'],
    'optim_wrapper.paramwise_cfg.dwconv_decay_mul=0': ['dwconv_decay_mul', 'dwconv_decay_mult'],
}


@pytest.mark.parametrize('option', UNREAD)
def test_unread_options(option):
    with pytest.raises(ValueError, match='nothing reads') as caught:
        load_config_with(CONFIG, [option])
    for part in UNREAD[option]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    'option',
    [
        'optim_wrapper.optimizer.lr=0.1',
        'find_unused_parameters=True',
        'model_wrapper_cfg.find_unused_parameters=True',
        'load_from=a.pth',
        'randomness.seed=1',
        'auto_scale_lr.enable=True',
        'env_cfg.cudnn_benchmark=True',
        'custom_hooks.0.type=EMAHook',
        'default_hooks.attention.type=AttentionLogHook',
        'optim_wrapper.paramwise_cfg.dwconv_decay_mult=0',
        'compile=True',
        'sync_bn=torch',
        'work_dir=out',
        'experiment_name=a',
    ],
)
def test_options_that_are_read(option):
    load_config_with(CONFIG, [option])
