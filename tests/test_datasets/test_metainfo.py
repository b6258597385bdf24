"""The metadata of a dataset: lengths, ids and swaps are checked before anything starts, wherever it is read."""

import copy

import pytest
from mmengine.config import Config
from tiny_coco import NAMES, tiny_config, write_coco

from dyconv_pose.apis.estimator import keypoint_set_of_config
from dyconv_pose.datasets.check import check_data, read_metainfo

POINTS = ('nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot')
SWAPS = ('', 'right_hand', 'left_hand', 'right_foot', 'left_foot')


def metainfo(first_id=0, **changes):
    info = {first_id + k: dict(name=name, id=first_id + k, swap=SWAPS[k]) for k, name in enumerate(POINTS)}
    content = dict(dataset_name='five', keypoint_info=info, skeleton_info={0: dict(link=('nose', 'left_hand'), id=0)})
    return content | dict(joint_weights=[1.0] * 5, sigmas=[0.05] * 5) | changes


def one_way():
    content = metainfo()
    content['keypoint_info'][2]['swap'] = ''
    return content


def twice():
    content = metainfo()
    content['keypoint_info'][4].update(name='left_foot', swap='')
    content['keypoint_info'][3]['swap'] = ''
    return content


def backwards():
    content = metainfo()
    content['keypoint_info'] = dict(reversed(content['keypoint_info'].items()))
    return content


CASES = {
    '17 sigmas': (metainfo(sigmas=[0.05] * 17), 'sigmas must be 5 numbers, as keypoints, got 17'),
    '4 sigmas': (metainfo(sigmas=[0.05] * 4), 'sigmas .* got 4'),
    '17 joint weights': (metainfo(joint_weights=[1.0] * 17), 'joint_weights must be 5 .* got 17'),
    'ids from 1': (metainfo(first_id=1), 'ids 0 to 4'),
    'ids in another order': (backwards(), 'ids 0 to 4 in order'),
    'a name twice': (twice(), 'different names'),
    'a swap one way': (one_way(), 'both ways, and "left_hand" names "right_hand"'),
    'a swap with nobody': (metainfo(keypoint_info={0: dict(name='nose', swap='tail')}), 'tail'),
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


def dataset(content, **more):
    return Config(dict(type='CocoDataset', metainfo=content, **more))


@pytest.mark.parametrize('case', CASES)
def test_wrong_metadata_is_refused(case):
    content, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        read_metainfo(dataset(content))


def test_metadata_in_order_and_that_of_mmpose_are_taken():
    assert read_metainfo(dataset(metainfo()))['num_keypoints'] == 5
    assert read_metainfo(dataset(metainfo(sigmas=[])))['num_keypoints'] == 5  # PCK needs none
    for name in ('coco', 'coco_aic', 'deepfashion2', 'wflw'):
        assert read_metainfo(dataset(dict(from_file=f'configs/_base_/datasets/{name}.py'))) is not None
    assert read_metainfo(Config(dict(type='CocoDataset')))['num_keypoints'] == 17


def test_ap_x(data, tmp_path):
    config = tiny_config(data, tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})
    info = {k: dict(name=name, swap='') for k, name in enumerate(NAMES)}
    weights = [1.0] * len(NAMES)
    config.val_dataloader.dataset.metainfo = metainfo(keypoint_info=info, sigmas=[], joint_weights=weights)
    config.val_dataloader.dataset.metainfo.skeleton_info = {}
    with pytest.raises(ValueError, match='CocoMetric needs sigmas, and the metainfo of CocoDataset has none'):
        check_data(config, ('val',))
    config.val_evaluator = dict(type='PCKAccuracy')
    check_data(config, ('val',))


def test_training_stops_also_for_the_metadata_of_a_combined_set(data, tmp_path):
    config = tiny_config(data, tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})
    part = config.train_dataloader.dataset
    wrong = copy.deepcopy(CASES['a swap one way'][0])
    config.train_dataloader.dataset = dict(type='CombinedDataset', metainfo=wrong, datasets=[part])
    with pytest.raises(ValueError, match='both ways'):
        check_data(config, ('train', 'val'))


def test_inference_and_scoring_read_checked_metadata(data, tmp_path):
    config = tiny_config(data, tmp_path / 'work')
    assert keypoint_set_of_config(config).names == tuple(NAMES)
    config.test_dataloader.dataset.metainfo = metainfo(first_id=1)
    with pytest.raises(ValueError, match='ids 0 to 4'):
        keypoint_set_of_config(config)
