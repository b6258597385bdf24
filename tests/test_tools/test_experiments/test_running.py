"""Experiments run, stop, continue, and record every run once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from experiments.description import load_experiment, recipe_of
from experiments.records import read_records, reused_record
from experiments.scheduling import run_all, status_of
from experiments.worker import InProgressError, execute, locked
from mmengine.hooks import Hook
from mmpose.registry import HOOKS

from .conftest import write_experiment

pytestmark = pytest.mark.filterwarnings('ignore')

TOOLS = Path(__file__).parents[3] / 'tools'
TOOL = TOOLS / 'experiments/run_experiment.py'


@HOOKS.register_module(force=True)
class StopAfterEpoch(Hook):
    """Ends the run as a power cut would, after the checkpoint of an epoch, if a file says so."""

    priority = 'LOWEST'

    def __init__(self, epoch, flag):
        self.epoch, self.flag = epoch, Path(flag)

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epoch and self.flag.exists():
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_run_is_recorded_once(experiment_file, tmp_path):
    experiment = load_experiment(experiment_file)
    run, results = experiment.run('dynamic', 1), tmp_path / 'noise.jsonl'
    assert execute(experiment, run, tmp_path / 'work', results)
    (record,) = read_records(results)
    assert (record['experiment'], record['network'], record['seed']) == ('noise', 'dynamic', 1)
    assert len([name for name in record['metrics'] if name.startswith('coco/')]) == 10
    assert (record['epochs'], record['iterations']) == (2, 4)
    assert [epoch for epoch, _ in record['losses']] == [1, 2]
    assert record['final_loss'] == record['losses'][-1][1]
    # the recorded score is that of the last checkpoint, which is what the last validation saw
    last = record['validations'][-1]
    assert last['epoch'] == 2
    assert last['coco/AR'] == pytest.approx(record['metrics']['coco/AR'], abs=1e-5)
    assert record['versions']['torch']
    assert not execute(experiment, run, tmp_path / 'work', results)
    assert len(read_records(results)) == 1


@pytest.mark.slow
def test_a_run_that_counts_iterations_and_persons(tmp_path):
    options = dict(
        train_cfg=dict(_delete_=True, type='ResumableIterLoop', max_iters=3, val_interval=3),
        param_scheduler=[dict(type='LinearLR', begin=0, end=2, start_factor=0.1, by_epoch=False)],
        log_processor=dict(by_epoch=False),
        default_hooks=dict(checkpoint=dict(by_epoch=False, interval=2)),
    )
    experiment = load_experiment(write_experiment(tmp_path, options=options, metrics=['coco/AP', 'OKS']))
    run, results = experiment.run('static', 0), tmp_path / 'noise.jsonl'
    assert execute(experiment, run, tmp_path / 'work', results)
    (record,) = read_records(results)
    assert (record['epochs'], record['iterations']) == (0, 3)
    assert [iteration for iteration, _ in record['losses']] == [1, 2, 3]
    assert len(record['persons']) == 8  # in four images
    assert record['metrics']['OKS'] == pytest.approx(sum(record['persons'].values()) / 8, abs=1e-4)
    assert not execute(experiment, run, tmp_path / 'work', results)


def test_a_run_of_another_experiment_is_reused_if_it_is_the_same(tmp_path):
    first = load_experiment(write_experiment(tmp_path))
    (tmp_path / 'other.py').touch()
    second = load_experiment(write_experiment(tmp_path, reuses=['other']))
    run, results = second.run('dynamic', 1), tmp_path / 'noise.jsonl'
    here = dict(experiment='other', network='k4', seed=1, recipe=recipe_of(run.config()))
    here |= dict(metrics={'coco/AP': 0.5}, final_loss=1)
    others = [here | dict(seed=0), here | dict(recipe='another'), here]
    (tmp_path / 'other.jsonl').write_text('\n'.join(map(json.dumps, others)))
    assert dict(status_of(second, tmp_path / 'work', results))[run.name].startswith('finished')
    assert execute(second, run, tmp_path / 'work', results)
    assert not execute(second, run, tmp_path / 'work', results)
    assert read_records(results) == [here | dict(experiment='noise', network='dynamic', reused_from='other')]
    assert reused_record(results, second, second.run('dynamic', 0), 'yet another') is None
    assert reused_record(results, first, run, here['recipe']) is None  # not unless the experiment says so


@pytest.mark.slow
def test_an_interrupted_run_continues_where_its_folder_has_moved(tmp_path):
    flag = tmp_path / 'stop'
    stop = dict(type='StopAfterEpoch', epoch=1, flag=str(flag))
    file = write_experiment(tmp_path, epochs=3, options=dict(default_hooks=dict(stop=stop)))
    experiment = load_experiment(file)
    run, results = experiment.run('static', 0), tmp_path / 'noise.jsonl'
    flag.touch()
    with pytest.raises(KeyboardInterrupt):
        execute(experiment, run, tmp_path / 'work', results)
    assert not read_records(results)
    flag.unlink()
    assert dict(status_of(experiment, tmp_path / 'work', results))[run.name] == 'waiting, at epoch_1'
    shutil.move(tmp_path / 'work', tmp_path / 'moved')
    assert execute(experiment, run, tmp_path / 'moved', results)
    (record,) = read_records(results)
    assert (record['epochs'], record['iterations']) == (3, 6)
    assert [epoch for epoch, _ in record['losses']] == [1, 2, 3]
    logs = sorted((tmp_path / 'moved' / run.name).glob('2*/vis_data/scalars.json'))
    assert len(logs) == 2
    assert {json.loads(line)['epoch'] for line in logs[1].read_text().splitlines() if 'loss' in line} == {2, 3}


@pytest.mark.slow
@pytest.mark.parametrize('left', ['', 'epoch_1.pth'])
def test_a_run_goes_on_although_the_note_of_its_checkpoint_is_lost(tmp_path, left):
    """A run killed while it wrote ``last_checkpoint`` is neither begun anew nor continued with another recipe."""
    flag = tmp_path / 'stop'
    flag.touch()
    stop = dict(default_hooks=dict(stop=dict(type='StopAfterEpoch', epoch=1, flag=str(flag))))
    experiment = load_experiment(write_experiment(tmp_path, epochs=2, options=stop))
    run, work, results = experiment.run('static', 0), tmp_path / 'work', tmp_path / 'noise.jsonl'
    with pytest.raises(KeyboardInterrupt):
        execute(experiment, run, work, results)
    flag.unlink()
    (work / run.name / 'last_checkpoint').write_text(left)
    other = load_experiment(write_experiment(tmp_path, epochs=3, options=stop))
    with pytest.raises(ValueError, match='begun with'):
        execute(other, other.run('static', 0), work, results)
    experiment = load_experiment(write_experiment(tmp_path, epochs=2, options=stop))
    assert execute(experiment, experiment.run('static', 0), work, results)
    logs = sorted((work / run.name).glob('2*/vis_data/scalars.json'))
    assert [{json.loads(x)['epoch'] for x in log.read_text().splitlines() if 'loss' in x} for log in logs][-1] == {2}


@pytest.mark.slow
def test_a_metric_that_is_not_computed_is_refused_and_costs_no_second_training(tmp_path):
    results = tmp_path / 'noise.jsonl'
    experiment = load_experiment(write_experiment(tmp_path, epochs=1, metrics=['coco/PCK']))
    with pytest.raises(ValueError, match='coco/PCK of noise is not among coco/AP'):
        execute(experiment, experiment.runs[0], tmp_path / 'work', results)
    assert not read_records(results)
    checkpoint = tmp_path / 'work' / experiment.runs[0].name / 'epoch_1.pth'
    stamp = checkpoint.stat().st_mtime_ns
    experiment = load_experiment(write_experiment(tmp_path, epochs=1))
    assert execute(experiment, experiment.runs[0], tmp_path / 'work', results)
    assert checkpoint.stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_a_run_in_progress_is_left_alone(experiment_file, tmp_path):
    experiment = load_experiment(experiment_file)
    run = experiment.runs[0]
    folder = tmp_path / 'work' / run.name
    holder = f'import sys, time; sys.path.insert(0, {str(TOOLS)!r})\n'
    holder += 'from pathlib import Path; from experiments.worker import locked\n'
    holder += f'with locked(Path({str(folder)!r})): print("held", flush=True); time.sleep(60)'
    with subprocess.Popen([sys.executable, '-W', 'ignore', '-c', holder], stdout=subprocess.PIPE, text=True) as process:
        while process.stdout.readline().strip() != 'held':
            pass
        with pytest.raises(InProgressError, match=f'process {process.pid} on '):
            execute(experiment, run, tmp_path / 'work', tmp_path / 'noise.jsonl')
        assert dict(status_of(experiment, tmp_path / 'work', tmp_path / 'noise.jsonl'))[run.name] == 'in progress'
        process.kill()
    with locked(folder):  # however the process ended, the lock ended with it
        pass


@pytest.mark.slow
def test_another_recipe_is_refused(tmp_path):
    results = tmp_path / 'noise.jsonl'
    experiment = load_experiment(write_experiment(tmp_path, epochs=1))
    execute(experiment, experiment.runs[0], tmp_path / 'work', results)
    changed = load_experiment(write_experiment(tmp_path, epochs=1, options={'optim_wrapper.optimizer.lr': 0.5}))
    with pytest.raises(ValueError, match='one recipe'):
        execute(changed, changed.runs[0], tmp_path / 'work', results)
    with pytest.raises(ValueError, match='begun with'):
        execute(changed, changed.runs[0], tmp_path / 'work', tmp_path / 'other.jsonl')


def test_recipe_is_what_decides_the_result(experiment_file):
    experiment = load_experiment(experiment_file)
    config = experiment.run('dynamic', 0).config()
    recipe = recipe_of(config)
    assert recipe == recipe_of(experiment.run('dynamic', 1).config())
    assert recipe != recipe_of(experiment.run('static', 0).config())
    config.merge_from_dict({'default_hooks.logger.interval': 7, 'train_dataloader.num_workers': 3, 'work_dir': 'x'})
    assert recipe_of(config) == recipe
    config.merge_from_dict({'train_dataloader.batch_size': 5})
    assert recipe_of(config) != recipe


def test_all_runs_in_turn(experiment_file, tmp_path):
    experiment = load_experiment(experiment_file)
    codes = iter([0, 75, 2, 0])
    said = []
    outcome = run_all(
        experiment,
        tmp_path / 'noise.jsonl',
        lambda run: [sys.executable, '-c', f'raise SystemExit({next(codes)})'],
        said.append,
    )
    assert outcome['finished'] == ['static/seed0', 'dynamic/seed1']
    assert outcome['elsewhere'] == ['dynamic/seed0']
    assert outcome['failed'] == ['static/seed1']
    assert '[3/4] noise: static/seed1 failed with status 2' in said


@pytest.mark.slow
def test_the_tool_killed_and_started_again(tmp_path):
    """Killed in the middle of training, the same command ends with every run recorded once."""
    file = write_experiment(tmp_path, seeds=[0], epochs=12)
    place = ['--work-dir', str(tmp_path / 'work'), '--results', str(tmp_path / 'noise.jsonl')]
    command = [sys.executable, str(TOOL), 'run', str(file), *place]
    process = subprocess.Popen(command, start_new_session=True)
    checkpoints = tmp_path / 'work' / 'static' / 'seed0' / 'last_checkpoint'
    deadline = time.monotonic() + 120
    while not checkpoints.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not read_records(tmp_path / 'noise.jsonl')
    subprocess.run(command, check=True, timeout=1200)
    records = read_records(tmp_path / 'noise.jsonl')
    assert [(record['network'], record['epochs']) for record in records] == [('static', 12), ('dynamic', 12)]
    assert len(list((tmp_path / 'work' / 'static' / 'seed0').glob('2*'))) == 2  # begun once, continued once


@pytest.mark.slow
def test_a_run_that_is_asked_to_end_takes_its_worker_along(tmp_path):
    program = (
        f'import sys; sys.path.insert(0, {str(TOOLS)!r}); from experiments import scheduling\n'
        'sys.exit(scheduling._call([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True);'
        ' time.sleep(600)"]))'
    )
    parent = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', program], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(timeout=60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (dict(comparisons=[('dynamic', 'nothing')]), 'must be a pair of'),
        (dict(seeds=[1, 1]), 'must differ'),
        (dict(metrics=[]), 'must state metrics'),
        (dict(reuses='other'), 'must be a list of names of other experiments'),
        (dict(reuses=['misspelt']), "got \\['misspelt'\\]"),
        (dict(reuses=['noise']), "got \\['noise'\\]"),
        (dict(networks={'static': dict(confg='x')}, comparisons=[('static', 'static')]), 'must state config'),
    ],
)
def test_mistakes_are_said(tmp_path, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_experiment(write_experiment(tmp_path, **change))


def test_missing_files_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match='must be an existing file'):
        load_experiment(tmp_path / 'none.py')
    network = dict(config=str(tmp_path / 'none.py'))
    file = write_experiment(tmp_path, networks={'static': network, 'dynamic': network})
    with pytest.raises(FileNotFoundError, match='config must be a file'):
        load_experiment(file).runs[0].config()
