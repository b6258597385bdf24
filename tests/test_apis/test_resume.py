"""Which checkpoint --resume takes, what it says, and that nothing in a file runs on any way into a training."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS
from tiny_coco import write_coco
from tiny_training import NUM_IMAGES, stateful_config

from dyconv_pose.apis import build_model, train
from dyconv_pose.apis.checkpoint import find_resume_point, read_resume_point

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco', NUM_IMAGES)


def short_config(data, work_dir, epochs=2):
    config = stateful_config(data, work_dir, ballast=False)
    config.train_cfg.max_epochs = epochs
    return config


@pytest.fixture(scope='module')
def stopped(data, tmp_path_factory):
    """A work directory with checkpoints of two epochs."""
    folder = tmp_path_factory.mktemp('stopped')
    train(short_config(data, folder))
    return folder


@pytest.fixture
def work_dir(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / 'work')


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte_of_a_weight(path):
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 255
    path.write_bytes(bytes(content))


def empty(path):
    path.write_bytes(b'')


@pytest.mark.parametrize('spoil', [half, flip_a_byte_of_a_weight, empty])
def test_last_whole_checkpoint_is_taken(work_dir, spoil):
    assert find_resume_point(work_dir).path.name == 'epoch_2.pth'
    spoil(work_dir / 'epoch_2.pth')
    point = find_resume_point(work_dir)
    assert (point.path.name, point.epoch, point.iteration) == ('epoch_1.pth', 1, 6)
    assert len(point.passed_over) == 1
    assert 'epoch_2.pth' in point.passed_over[0]
    spoil(work_dir / 'epoch_1.pth')
    with pytest.raises(ValueError, match='must be a whole checkpoint .* none of 2 is'):
        find_resume_point(work_dir)


def test_last_checkpoint_is_only_a_hint(work_dir):
    (work_dir / 'last_checkpoint').write_text('')  # killed while writing it
    assert find_resume_point(work_dir).path.name == 'epoch_2.pth'
    moved = work_dir / 'elsewhere.pth'
    (work_dir / 'epoch_2.pth').rename(moved)
    (work_dir / 'epoch_1.pth').unlink()
    (work_dir / 'last_checkpoint').write_text(str(moved))
    assert find_resume_point(work_dir).path == moved


@pytest.mark.slow
def test_half_written_file_is_no_checkpoint_and_is_removed(data, work_dir, caplog):
    (work_dir / 'epoch_3.pth.partial').write_bytes((work_dir / 'epoch_2.pth').read_bytes()[:1000])
    assert find_resume_point(work_dir).path.name == 'epoch_2.pth'
    half(work_dir / 'epoch_2.pth')
    lines = logged(short_config(data, work_dir))
    assert not (work_dir / 'epoch_3.pth.partial').exists()
    assert any('epoch_1.pth", the last whole checkpoint: 1 epochs and 6 iterations' in line for line in lines)
    assert any('epoch_2.pth' in line and ('damaged' in line or 'not a whole file' in line) for line in lines)


def logged(config, **options):
    """Trains and returns the lines of its log."""
    config.log_level = 'INFO'
    train(config, **options)
    MMLogger.get_current_instance().setLevel('ERROR')
    logs = sorted(Path(config.work_dir).glob('*/*.log'))
    return logs[-1].read_text().splitlines()


def test_weights_alone_are_no_place_to_resume_from(work_dir):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), work_dir / 'weights.pth')
    with pytest.raises(ValueError, match='has weights alone'):
        read_resume_point(work_dir / 'weights.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        read_resume_point(work_dir / 'none.pth')


def test_changed_schedule_is_said(data, work_dir):
    config = short_config(data, work_dir, epochs=3)
    config.param_scheduler[0].end = 12
    config.optim_wrapper.optimizer.update(lr=0.5, weight_decay=0.25)
    lines = [line for line in logged(config) if 'the checkpoint is followed' in line]
    assert sum('has end=8 where LinearLR has 12' in line for line in lines) == 1
    assert sum('has weight_decay=0 where the optimiser has 0.25' in line for line in lines) == 1
    assert any('initial_lr=0.002 where the optimiser has 0.5' in line for line in lines)


@pytest.mark.slow
def test_same_schedule_is_not_mentioned(data, work_dir):
    lines = logged(short_config(data, work_dir, epochs=3))
    assert any('resumed epoch: 2, iter: 12' in line for line in lines)
    assert not [line for line in lines if 'the checkpoint is followed' in line]


class Touch:
    """Leaves a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f'touch {self.target}',)


WAYS = {
    'resume': dict(),
    'load_from': dict(),
    'Pretrained': dict(type='Pretrained', prefix='backbone.'),
    'WarmStart': dict(type='WarmStart', prefix='backbone.'),
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('forbidden', [False, pytest.param(True, marks=pytest.mark.slow)], ids=['', 'forced'])
def test_malicious_checkpoint_is_refused_by_training(data, tmp_path, monkeypatch, record, way, forbidden):
    if forbidden:
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    config, ran, path = short_config(data, tmp_path / 'work', 1), tmp_path / 'ran', tmp_path / 'evil.pth'
    config.resume = False
    state = build_model(config).state_dict()
    torch.save(dict(state_dict=state, meta=Touch(ran), optimizer={}, message_hub={}), path)
    options = {}
    if way == 'resume':
        options['resume'] = str(path)
    elif way == 'load_from':
        config.load_from = str(path)
    else:
        config.model.backbone.init_cfg = WAYS[way] | dict(checkpoint=str(path))
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        train(config.copy(), **options)
    assert not ran.exists()
    record('malicious checkpoints refused', **{f'train.py, {way}{", full unpickling forced" * forbidden}': 1})
    if way == 'load_from' and not forbidden:  # the oracle can fail: the attack works where it is let
        train(config.copy(), trust=True)
        assert ran.exists()


def test_downloads_are_read_in_the_same_way(data, tmp_path, monkeypatch):
    """A file of the download folder stands for one that was fetched."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    (tmp_path / 'hub/checkpoints').mkdir(parents=True)
    ran = tmp_path / 'ran'
    torch.save(dict(state_dict={}, meta=Touch(ran)), tmp_path / 'hub/checkpoints/evil.pth')
    config = short_config(data, tmp_path / 'work', 1)
    config.resume, config.load_from = False, 'https://example.org/evil.pth'
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        train(config)
    assert not ran.exists()


@HOOKS.register_module()
class TimeLeftHook(Hook):
    """Keeps what is logged as the time left."""

    priority, seen = 'LOWEST', ()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        type(self).seen = (*self.seen, runner.message_hub.get_info('eta'))


def test_time_left_where_epochs_are_longer_or_shorter_than_before(data, work_dir):
    config = short_config(data, work_dir, 6)
    config.train_dataloader.batch_size = 8  # three iterations an epoch, and twelve are done
    config.custom_hooks = [dict(type='TimeLeftHook')]
    train(config, resume=True)
    left = TimeLeftHook.seen
    assert len(left) == 12
    assert left[-1] == 0 and all(time > 0 for time in left[:-1])
