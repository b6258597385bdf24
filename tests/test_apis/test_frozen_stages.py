"""Distributed training on a CPU where some weights get no gradient."""

import socket
import subprocess
import sys

import pytest
from tiny_coco import ROOT, tiny_config, write_coco, write_config
from tiny_training import finish

pytestmark = pytest.mark.filterwarnings('ignore')


HEAD = dict(in_channels=32, stage_out_channels=(8, 8), stage_hidden_channels=((None,), (None,)))
#: The last stage is computed for nothing.
UNUSED = {'model.backbone.out_indices': (2,), 'model.head': HEAD}
CASES = {
    'frozen from the first step on': {
        'model.backbone': dict(_delete_=True, type='DyMobileNetV2', widen_factor=0.25, frozen_stages=2),
        'model.head.in_channels': 1280,
    },
    'frozen residual stages': {'model.backbone.frozen_stages': 2, 'model.backbone.dynamic_convs': ['*']},
    'mixed precision': {'optim_wrapper.type': 'CpuAmpOptimWrapper'},
    'unused, said beside the model': UNUSED | {'find_unused_parameters': True},
    'unused, said of the wrapper': UNUSED | {'model_wrapper_cfg': dict(find_unused_parameters=True)},
}


@pytest.fixture
def one_of_a_job(monkeypatch):
    """The variables that a launcher sets; a job of one process has the same wrapper as one of eight."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    place = dict(RANK=0, LOCAL_RANK=0, WORLD_SIZE=1, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    for name, value in place.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize('case', CASES)
def test_training_goes_on_past_the_first_step(one_of_a_job, tmp_path, case):
    data = write_coco(tmp_path / 'coco', 4)
    config = tiny_config(data, tmp_path / 'work')
    options = dict(CASES[case])
    if 'model.backbone' in options:
        config.model.backbone = {k: v for k, v in options.pop('model.backbone').items() if k != '_delete_'}
    config.merge_from_dict(options)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.launcher = 'pytorch'
    finish(config)


@pytest.mark.slow
def test_two_processes(tmp_path):
    config = write_config(tmp_path / 'config.py', write_coco(tmp_path / 'coco', 4), train_cfg=dict(max_epochs=1))
    launch = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=29521']
    tool = [ROOT / 'tools/train.py', config, '--launcher', 'pytorch', '--no-validate', '--work-dir', tmp_path / 'work']
    options = ['--cfg-options', 'model.backbone.frozen_stages=2', 'train_dataloader.batch_size=1']
    subprocess.run([*map(str, [*launch, *tool]), *options], check=True, timeout=300)
    assert (tmp_path / 'work/epoch_1.pth').is_file()
