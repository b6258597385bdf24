"""Runs that are killed, at random moments and while they write checkpoints, end where one ends that is left alone."""

import os
import random
import signal

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_coco import write_coco
from tiny_training import NUM_IMAGES, differences, finish, kill_after, last_state, start, stateful_config

from dyconv_pose import files
from dyconv_pose.apis import read_checkpoint
from dyconv_pose.apis.checkpoint import find_resume_point

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore'),
    pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes are copied by fork, which this system lacks'),
]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco', NUM_IMAGES)


def is_half_written(work_dir):
    return work_dir.is_dir() and any(work_dir.glob('*.partial'))


def wait_for_kill(process):
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def kill_and_finish(config, work_dir, num_kills, longest, rng):
    """Kills a run so many times, has it go on each time, and lets it end; every other kill waits for a checkpoint.

    Returns:
        How many kills hit the run, and how many of them left a half-written checkpoint.
    """
    hits = within_writing = 0
    for number in range(num_kills):
        if kill_after(config.copy(), rng.uniform(0, longest), while_writing=number % 2 == 1):
            hits += 1
            within_writing += is_half_written(work_dir)
    finish(config.copy())
    assert not is_half_written(work_dir)
    return hits, within_writing


def test_killed_within_epochs(data, tmp_path):
    """Two kills, of which the last one surely comes in the middle of an epoch and of a checkpoint."""
    mode, killed = 'within epochs', tmp_path / 'killed'
    finish(stateful_config(data, tmp_path / 'whole', mode, ballast=False))
    wait_for_kill(start(at_checkpoint(stateful_config(data, killed, mode, ballast=False), 2)))
    wait_for_kill(start(at_checkpoint(stateful_config(data, killed, mode, ballast=False), 5)))
    assert is_half_written(killed)
    point = find_resume_point(killed)
    assert (point.path.name, point.epoch, point.iteration) == ('iter_14.pth', 2, 14)
    finish(stateful_config(data, killed, mode, ballast=False))
    assert not is_half_written(killed)
    assert differences(last_state(tmp_path / 'whole', mode), last_state(killed, mode)) == []


@HOOKS.register_module(force=True)
class KilledWhileWriting(Hook):
    """Kills its own process when a checkpoint is on the disk but for its name."""

    def __init__(self, count):
        self.count = count

    def before_save_checkpoint(self, runner, checkpoint):
        self.count -= 1
        if self.count < 0:
            files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)


def at_checkpoint(config, count):
    """Has a run end while it writes a checkpoint, after so many whole ones."""
    config.custom_hooks.append(dict(type='KilledWhileWriting', count=count))
    return config


def test_the_comparison_can_fail(data, tmp_path):
    """Without the optimiser's momentum a run goes on as well, to other weights."""
    killed = tmp_path / 'killed'
    finish(stateful_config(data, tmp_path / 'whole', ballast=False))
    wait_for_kill(start(at_checkpoint(stateful_config(data, killed, ballast=False), 2)))
    content = torch.load(killed / 'epoch_2.pth', weights_only=False)
    for state in content['optimizer']['state'].values():
        state['exp_avg'].zero_()
    torch.save(content, killed / 'epoch_2.pth')
    finish(stateful_config(data, killed, ballast=False))
    assert any('/state_dict/' in name for name in differences(last_state(tmp_path / 'whole'), last_state(killed)))


@HOOKS.register_module(force=True)
class KilledBeforeValidation(Hook):
    def before_val_epoch(self, runner):
        os.kill(os.getpid(), signal.SIGKILL)


def validating_config(data, work_dir):
    from tiny_coco import tiny_config

    config, whole = stateful_config(data, work_dir, ballast=False), tiny_config(data, work_dir)
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        config[key] = whole[key]
    config.train_cfg.update(max_epochs=2, val_interval=1)
    config.default_hooks.checkpoint.save_best = 'coco/AP'
    return config


def test_validation_that_was_missed_is_made_up_for(data, tmp_path):
    """Killed between a checkpoint and the validation of its epoch: the best checkpoint is found all the same."""
    finish(validating_config(data, tmp_path / 'whole'))
    config = validating_config(data, tmp_path / 'killed')
    config.custom_hooks.append(dict(type='KilledBeforeValidation'))
    wait_for_kill(start(config))
    assert not list((tmp_path / 'killed').glob('best_*'))
    finish(validating_config(data, tmp_path / 'killed'))
    files = [sorted(path.name for path in (tmp_path / name).glob('*.pth')) for name in ('whole', 'killed')]
    assert files[0] == files[1]
    assert sum(name.startswith('best_') for name in files[0]) == 1
    infos = [
        read_checkpoint(tmp_path / name / 'epoch_2.pth')['message_hub']['runtime_info'] for name in ('whole', 'killed')
    ]
    assert infos[0]['best_score'] == infos[1]['best_score']


def test_seed_that_nobody_chose_is_kept(data, tmp_path):
    """Without a seed in the config the checkpoint has it: order, augmentation and dropout go on with that."""
    config = at_checkpoint(stateful_config(data, tmp_path / 'killed', 'within epochs', ballast=False), 5)
    config.randomness = dict(seed=None, deterministic=True)
    wait_for_kill(start(config))
    seed = read_checkpoint(tmp_path / 'killed/iter_10.pth')['meta']['seed']
    for name in ('killed', 'whole'):
        config = stateful_config(data, tmp_path / name, 'within epochs', ballast=False)
        config.randomness.seed = None if name == 'killed' else seed
        finish(config)
    states = [last_state(tmp_path / name, 'within epochs') for name in ('killed', 'whole')]
    assert differences(*states) == []


@pytest.mark.parametrize(
    ('mode', 'num_workers'),
    [('epochs', 0), ('within epochs', 0), ('within epochs', 2), ('iterations', 0), ('iterations', 2), ('endless', 0)],
)
def test_many_kills_at_random_moments(data, tmp_path, record, mode, num_workers):
    rng = random.Random(f'{mode} {num_workers}')
    loader = dict(num_workers=num_workers, persistent_workers=num_workers > 0)
    finish(stateful_config(data, tmp_path / 'whole', mode))
    hits = within_writing = runs = 0
    while hits < 18:
        work_dir = tmp_path / f'killed_{runs}'
        counts = kill_and_finish(stateful_config(data, work_dir, mode, **loader), work_dir, 6, 3.5, rng)
        assert differences(last_state(tmp_path / 'whole', mode), last_state(work_dir, mode)) == []
        hits, within_writing, runs = hits + counts[0], within_writing + counts[1], runs + 1
    assert 0 < within_writing < hits
    record('kills', **{f'{mode}, {num_workers} workers': dict(runs=runs, kills=hits, while_writing=within_writing)})
