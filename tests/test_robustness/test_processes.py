"""Several processes: the scores and the training steps of one, and an end with a sentence where one of them dies."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch
from dataset_converters.synthetic_people import make_sample_set
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_coco import write_coco, write_config
from tiny_training import EPOCHS, NUM_IMAGES, finish, stateful_config

from dyconv_pose.apis import load_config, read_checkpoint, train
from dyconv_pose.apis import test as score

ROOT = Path(__file__).parents[2]
NAME = 'td-hm_dy-mobilenetv3-small-s16-bneck-narrow'
CONFIG = ROOT / f'configs/body_2d_keypoint/topdown_heatmap/synthetic/{NAME}_1xb16-12e_synthetic-128x96.py'
CHECKPOINT = ROOT / f'checkpoints/{NAME}_synthetic-128x96.pth'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore'),
    pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes are copied by fork, which this system lacks'),
]


def free_port():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        return taken.getsockname()[1]


def start_processes(number, work):
    """Starts copies of this process, as a job of several processes; each does ``work(rank)``."""
    port, processes = free_port(), []
    for rank in range(number):
        process = os.fork()
        if process == 0:
            status = 1
            try:
                place = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=number, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
                os.environ.update({name: str(value) for name, value in place.items()})
                work(rank)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        processes.append(process)
    return processes


def wait_all(processes, seconds=240):
    """Exit statuses; those that are still there after so many seconds are killed, and give -9."""
    end, statuses = time.monotonic() + seconds, {}
    while len(statuses) < len(processes):
        for process in processes:
            if process not in statuses:
                done, status = os.waitpid(process, os.WNOHANG)
                if done:
                    statuses[process] = os.waitstatus_to_exitcode(status)
                elif time.monotonic() > end:
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.01)
    return [statuses[process] for process in processes]


@pytest.fixture(scope='module')
def synthetic_people(tmp_path_factory):
    root = tmp_path_factory.mktemp('synthetic')
    make_sample_set(root, num_train=1, num_val=8)
    return root


def scoring_config(root, work_dir, num_persons):
    """Scores the first so many persons."""
    whole = json.loads((root / 'annotations/person_keypoints_val2017.json').read_text())
    whole['annotations'] = whole['annotations'][:num_persons]
    assert len(whole['annotations']) == num_persons
    path = root / 'annotations' / f'{num_persons}.json'
    path.write_text(json.dumps(whole))
    config = load_config(CONFIG)
    config.work_dir, config.log_level = str(work_dir), 'ERROR'
    config.test_evaluator.ann_file = str(path)
    loader = config.test_dataloader
    loader.update(num_workers=0, persistent_workers=False, batch_size=4)
    loader.dataset.update(data_root=f'{root}/', ann_file=f'annotations/{num_persons}.json')
    return config


def scores_of(number, config, out):
    def work(rank):
        if number > 1:
            config.launcher = 'pytorch'
        metrics = score(config, CHECKPOINT)
        if rank == 0:
            out.write_text(json.dumps(metrics))

    assert wait_all(start_processes(number, work)) == [0] * number
    return json.loads(out.read_text())


def assert_same_scores(synthetic_people, tmp_path, num_persons):
    one, two = (
        scores_of(
            number, scoring_config(synthetic_people, tmp_path / str(number), num_persons), tmp_path / f'{number}.json'
        )
        for number in (1, 2)
    )
    assert one == two
    return one['coco/AP']


def test_two_processes_score_as_one(synthetic_people, tmp_path):
    assert 0.1 < assert_same_scores(synthetic_people, tmp_path, 7) < 1


def test_any_number_of_persons_scores_the_same(synthetic_people, tmp_path, record):
    numbers = (1, 2, 3, 8, 9, 11)
    scores = []
    for number in numbers:
        (tmp_path / str(number)).mkdir()
        scores.append(assert_same_scores(synthetic_people, tmp_path / str(number), number))
    record('two processes', numbers_of_persons=list(numbers), ap=scores)


@HOOKS.register_module(force=True)
class FrozenNormHook(Hook):
    """Batch normalisation with statistics that are not the batch's."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


def frozen_config(data, work_dir, batch_size):
    config = stateful_config(data, work_dir, ballast=False, batch_size=batch_size)
    config.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
    config.custom_hooks = [dict(type='FrozenNormHook')]
    return config


def test_two_processes_train_as_one_with_the_double_batch(tmp_path, record):
    data = write_coco(tmp_path / 'coco', NUM_IMAGES)
    finish(frozen_config(data, tmp_path / 'one', 4))

    def work(rank):
        config = frozen_config(data, tmp_path / 'two', 2)
        config.launcher = 'pytorch'
        train(config)

    assert wait_all(start_processes(2, work)) == [0, 0]
    first, one, two = (
        read_checkpoint(tmp_path / name)['state_dict']
        for name in ('one/epoch_3.pth', f'one/epoch_{EPOCHS}.pth', f'two/epoch_{EPOCHS}.pth')
    )
    weights = [name for name in one if one[name].is_floating_point()]
    moved = max((one[name] - first[name]).abs().max().item() for name in weights)
    apart = max((one[name] - two[name]).abs().max().item() for name in weights)
    record('two processes', training_iterations=6 * EPOCHS, weights_apart=apart, weights_moved_in_an_epoch=moved)
    assert moved > 1e-3
    assert apart < 1e-3 * moved


@HOOKS.register_module(force=True)
class DeathHook(Hook):
    """One process is killed, as by the system when memory runs out."""

    def __init__(self, rank):
        self.rank = rank

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.rank == self.rank and runner.iter == 3:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('victim', [0, 1])
def test_dead_process_ends_the_others_with_a_sentence(tmp_path, record, victim):
    data = write_coco(tmp_path / 'coco', NUM_IMAGES)

    def work(rank):
        config = stateful_config(data, tmp_path / 'work', ballast=False, batch_size=2)
        config.launcher, config.custom_hooks = 'pytorch', [dict(type='DeathHook', rank=victim)]
        with pytest.raises(ValueError, match='Another process of this job ended, .* go on with --resume'):
            train(config)

    start = time.monotonic()
    statuses = wait_all(start_processes(2, work), 120)
    assert statuses[victim] == -signal.SIGKILL
    assert statuses[1 - victim] == 0
    record('dead process', **{f'rank {victim} killed: seconds to the end': round(time.monotonic() - start, 1)})


def test_dead_process_ends_the_command(tmp_path, record):
    """The command of the documentation; the process is killed from outside."""
    data = write_coco(tmp_path / 'coco', NUM_IMAGES)
    config = write_config(tmp_path / 'config.py', data, train_cfg=dict(max_epochs=1000, val_interval=1000))
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), str(config), '2', '--work-dir', str(tmp_path / 'work')]
    environment = os.environ | dict(PORT=str(free_port()), PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}')
    job = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        lines = []
        for line in job.stdout:
            lines.append(line)
            if re.search(r'Epoch\(train\)|Saving checkpoint', line):
                break
        victims = [process for process in descendants(job.pid) if '--launcher' in command_line(process)]
        workers = [process for process in victims if 'torchrun' not in ' '.join(command_line(process))]
        assert len(workers) == 2
        start = time.monotonic()
        os.kill(workers[1], signal.SIGKILL)
        rest, _ = job.communicate(timeout=120)
        record('dead process', **{'dist_train.sh: seconds to the end': round(time.monotonic() - start, 1)})
    finally:
        job.kill()
    assert job.returncode not in (0, None)
    assert 'SIGKILL' in rest
    assert 'go on with --resume' in rest.splitlines()[-1]


def descendants(process):
    children = [
        int(child) for path in Path(f'/proc/{process}/task').glob('*/children') for child in path.read_text().split()
    ]
    return children + [deeper for child in children for deeper in descendants(child)]


def command_line(process):
    return Path(f'/proc/{process}/cmdline').read_bytes().decode().split('\0')
