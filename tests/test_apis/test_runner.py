"""Training and testing through the Python API: files, resuming, mixed precision, several processes."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from model_converters.publish_model import publish

from dyconv_pose.apis import load_config, read_checkpoint, train
from dyconv_pose.apis import test as score
from dyconv_pose.apis.config import use_ground_truth_boxes
from dyconv_pose.engine.speed import CpuAmpOptimWrapper

from .conftest import CONFIG, ROOT

FIGURES = ['AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)']


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)['state_dict']


def scalars(work_dir: str) -> list[dict]:
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_trains_scores_and_publishes(small_config, tmp_path):
    train(deepcopy(small_config))
    checkpoint = tmp_path / 'work' / 'epoch_2.pth'
    logged = {key: value for entry in scalars(small_config.work_dir) for key, value in entry.items()}
    metrics = score(deepcopy(small_config), checkpoint)
    assert set(metrics) == {f'coco/{name}' for name in FIGURES}
    for name in metrics:  # what training printed is what the checkpoint scores
        assert metrics[name] == pytest.approx(logged[name], abs=1e-9)
    published = publish(checkpoint, tmp_path / 'published.pth')
    assert published.stat().st_size < 0.5 * checkpoint.stat().st_size  # no optimiser
    torch.load(published, weights_only=True)
    elsewhere = deepcopy(small_config)
    elsewhere.load_from = str(tmp_path / 'nowhere.pth')  # where training would start from is no matter here
    assert score(elsewhere, published) == metrics
    half = publish(checkpoint, tmp_path / 'half.pth', half=True)
    assert half.stat().st_size < 0.6 * published.stat().st_size
    large = dict(state_dict=dict(var=torch.tensor([1.0, 1e5]), endless=torch.tensor([1.0, float('inf')])), meta={})
    torch.save(large, tmp_path / 'large.pth')
    stored = torch.load(publish(tmp_path / 'large.pth', tmp_path / 'half.pth', half=True), weights_only=True)
    assert stored['state_dict']['var'].tolist() == [1.0, 1e5]  # float16 would make it infinite
    assert stored['state_dict']['endless'].dtype == torch.float16


def test_resuming_equals_not_stopping(small_config, tmp_path):
    whole, parts = deepcopy(small_config), deepcopy(small_config)
    whole.work_dir, parts.work_dir = str(tmp_path / 'whole'), str(tmp_path / 'parts')
    assert any(step['type'].startswith('Random') for step in whole.train_dataloader.dataset.pipeline)
    train(deepcopy(whole))
    first = deepcopy(parts)
    first.train_cfg.max_epochs = 1
    train(first)
    train(deepcopy(parts), resume=True)
    expected, actual = (weights(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'parts'))
    assert expected.keys() == actual.keys()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_resuming_from_nothing_is_refused(small_config):
    with pytest.raises(FileNotFoundError, match='must be a checkpoint to resume from'):
        train(small_config, resume=True)


def test_none_leaves_a_hook_out(small_config):
    small_config.default_hooks.update(timer=None, undefined_scores=None)
    small_config.train_cfg.max_epochs = 1
    found = {type(hook).__name__ for hook in train(small_config).hooks}
    assert 'NonFiniteLossHook' in found and not found & {'IterTimerHook', 'UndefinedScoreHook'}


def test_mixed_precision_trains(small_config):
    small_config.train_cfg.max_epochs = 1
    runner = train(small_config, amp=True)
    assert isinstance(runner.optim_wrapper, AmpOptimWrapper if torch.cuda.is_available() else CpuAmpOptimWrapper)
    assert all(parameter.dtype == torch.float32 for parameter in runner.model.parameters())


def test_ground_truth_boxes():
    path = ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192.py'
    config = use_ground_truth_boxes(load_config(path))
    assert config.val_dataloader.dataset.bbox_file == config.test_dataloader.dataset.bbox_file == ''


def command(tool: str, *arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)]


def as_options(options: dict) -> list[str]:
    flat = {'randomness.seed': 0, **{key: value for key, value in options.items() if key != 'randomness'}}
    return ['--cfg-options', *(f'{key}={value}' for key, value in flat.items())]


@pytest.mark.slow
def test_two_processes_score_as_one(small_config, small_options, tmp_path):
    small_config.train_cfg.max_epochs = 1
    train(small_config)
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    figures = []
    for processes in (1, 2):
        out = tmp_path / f'{processes}.json'
        launch = [sys.executable, '-m', 'torch.distributed.run', f'--nproc_per_node={processes}', '--master_port=29517']
        tool = [str(ROOT / 'tools/test.py'), str(CONFIG), str(checkpoint), '--launcher', 'pytorch', '--out', str(out)]
        subprocess.run(
            [*launch, *tool, '--work-dir', str(tmp_path / 'test'), *as_options(small_options)],
            check=True,
            timeout=300,
        )
        figures.append(json.loads(out.read_text()))
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_tools_train_and_test_with_two_processes(small_options, tmp_path):
    launch = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=29518']
    tool = [str(ROOT / 'tools/train.py'), str(CONFIG), '--launcher', 'pytorch', '--work-dir', str(tmp_path)]
    subprocess.run([*launch, *tool, *as_options(small_options)], check=True, timeout=300)
    assert (tmp_path / 'epoch_2.pth').is_file()


@pytest.mark.slow
def test_mmposes_own_train_tool_takes_the_config(small_options, tmp_path):
    import mmpose

    tool = Path(mmpose.__file__).parent / '.mim' / 'tools' / 'train.py'
    subprocess.run(
        [sys.executable, str(tool), str(CONFIG), '--work-dir', str(tmp_path), *as_options(small_options)],
        check=True,
        timeout=300,
    )
    assert (tmp_path / 'epoch_2.pth').is_file()
