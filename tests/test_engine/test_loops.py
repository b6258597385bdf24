"""The loop that a config names is the one that runs, with this project's tools and with MMPose's."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.models.pose_estimators import TopdownPoseEstimator
from tiny_coco import CONFIG, ROOT, annotation_path, tiny_config, write_coco

from dyconv_pose.apis import load_config, train
from dyconv_pose.engine import ResumableEpochLoop

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.mark.parametrize('path', (ROOT / 'configs/classification').glob('[is]*/*.py'), ids=lambda path: path.stem)
def test_every_config_of_classification_names_a_resumable_loop(path: Path):
    """Those of keypoints are read in test_configs.py."""
    pytest.importorskip('mmpretrain')
    loop = Config.fromfile(path, import_custom_modules=False).train_cfg
    assert loop.type in ('ResumableEpochLoop', 'ResumableIterLoop')
    assert 'by_epoch' not in loop


def test_mmposes_way_to_train_is_the_same_run(tmp_path):
    """MMPose's tools/train.py is ``Runner.from_cfg(config).train()``."""
    data = write_coco(tmp_path / 'coco')
    states = []
    for name in ('ours', 'mmposes'):
        config = tiny_config(data, tmp_path / name, epochs=2, randomness=dict(seed=0, deterministic=True))
        if name == 'ours':
            runner = train(config)
        else:
            runner = Runner.from_cfg(config)
            runner.train()
        assert type(runner.train_loop) is ResumableEpochLoop
        states.append(runner.model.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_two_names_of_a_loop_are_refused():
    with pytest.raises(ValueError, match=r'names its loop by "type" \(ResumableEpochLoop\) and by "by_epoch"'):
        load_config(CONFIG, {'train_cfg.by_epoch': True})


def test_files_and_checkpoint_are_read_once_and_the_model_is_built_once(tmp_path, monkeypatch):
    """In a run with validation that resumes."""
    config = tiny_config(write_coco(tmp_path / 'coco'), tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})
    train(config.copy())
    config.train_cfg.max_epochs = 2
    calls = []

    def count(owner, name):
        original = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *args, **kwargs: calls.append((name, *args)) or original(*args, **kwargs)
        )

    count(Path, 'read_text')
    count(torch, 'load')
    count(TopdownPoseEstimator, '__init__')
    train(config, resume=True)
    counts = Counter(str(place) if name == 'read_text' else name for name, place, *_ in calls)
    read = [annotation_path(tmp_path / 'coco', split) for split in ('train2017', 'val2017')]
    assert [counts[name] for name in ('load', '__init__', *map(str, read))] == [1, 1, 1, 1]
