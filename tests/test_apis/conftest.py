"""A tiny data set and config, for runs of a few seconds."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = (
    ROOT / 'configs/body_2d_keypoint/topdown_heatmap/synthetic/'
    'td-hm_dy-mobilenetv3-small-s16-bneck-narrow_1xb16-12e_synthetic-128x96.py'
)


@pytest.fixture(scope='session')
def sample_set(tmp_path_factory) -> Path:
    """Twelve training images and seven validation images of synthetic people in COCO's layout."""
    from dataset_converters.synthetic_people import make_sample_set

    root = tmp_path_factory.mktemp('samples')
    make_sample_set(root, num_train=12, num_val=7)
    return root


@pytest.fixture
def small_options(sample_set) -> dict:
    """Overrides that train the small network on the sample set for two epochs without worker processes."""
    annotations = 'annotations/person_keypoints_{}2017.json'
    options = {
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 2,
        'val_evaluator.ann_file': str(sample_set / annotations.format('val')),
        'test_evaluator.ann_file': str(sample_set / annotations.format('val')),
        'train_dataloader.batch_size': 8,
        'param_scheduler.0.end': 2,
        'randomness': dict(seed=0),
    }
    for split in ('train', 'val', 'test'):
        options[f'{split}_dataloader.num_workers'] = 0
        options[f'{split}_dataloader.persistent_workers'] = False
        options[f'{split}_dataloader.dataset.data_root'] = f'{sample_set}/'
    return options


@pytest.fixture
def small_config(small_options, tmp_path):
    """A small network on the sample set, its work directory under ``tmp_path``."""
    import small_network

    from dyconv_pose.apis import load_config

    config = small_network.small_config(load_config(CONFIG, small_options), channels=(8, 8, 8))
    config.work_dir = str(tmp_path / 'work')
    return config


@pytest.fixture
def count_val_persons(sample_set) -> int:
    """Persons in the validation images."""
    return len(json.loads((sample_set / 'annotations/person_keypoints_val2017.json').read_text())['annotations'])
