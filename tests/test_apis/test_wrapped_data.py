"""Datasets within datasets, and steps of a test pipeline that need annotations: tools treat them as a plain one."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from small_network import enliven
from tiny_coco import tiny_config, write_coco

from dyconv_pose.apis import build_model, load_estimator
from dyconv_pose.apis.config import use_ground_truth_boxes
from dyconv_pose.apis.estimator import keypoint_set_of_config

pytestmark = pytest.mark.filterwarnings('ignore')

METAINFO = dict(from_file='configs/_base_/datasets/coco.py')
CONVERTER = dict(type='KeypointConverter', num_keypoints=17, mapping=[(k, k) for k in range(17)])


def combined(part):
    steps = part.pipeline
    part.pipeline = [CONVERTER]
    return dict(type='CombinedDataset', metainfo=METAINFO, datasets=[part, part], pipeline=steps)


WRAPPERS = {
    'repeated': lambda part: dict(type='RepeatDataset', dataset=part, times=2),
    'combined': combined,
    'combined, pipeline in the parts': lambda part: dict(
        type='CombinedDataset', metainfo=METAINFO, datasets=[part], pipeline=[]
    ),
    'repeated and combined': lambda part: dict(type='RepeatDataset', times=1, dataset=combined(part)),
    'converted': lambda part: {**part, 'pipeline': [*part.pipeline[:1], CONVERTER, *part.pipeline[1:]]},
    'with targets': lambda part: {
        **part,
        'pipeline': [
            *part.pipeline[:3],
            dict(
                type='GenerateTarget',
                encoder=dict(type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=2),
            ),
            *part.pipeline[3:],
        ],
    },
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco', 2)


@pytest.fixture(scope='module')
def plain(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('plain')
    config = tiny_config(data, folder / 'work')
    torch.save(dict(state_dict=enliven(build_model(config)).state_dict()), folder / 'a.pth')
    return config, folder / 'a.pth'


def wrapped(config, name):
    config = deepcopy(config)
    for split in ('val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.dataset = ConfigDict(WRAPPERS[name](loader.dataset.copy()))
    return config


def leaves(dataset):
    inner = dataset.get('datasets') or [dataset[key] for key in ('dataset',) if key in dataset]
    return [leaf for one in inner for leaf in leaves(one)] or [dataset]


@pytest.mark.parametrize('name', WRAPPERS)
def test_ground_truth_boxes_reach_every_part(plain, name):
    config = wrapped(plain[0], name)
    for split in ('val', 'test'):
        for leaf in leaves(config[f'{split}_dataloader'].dataset):
            leaf.bbox_file = 'detections.json'
    use_ground_truth_boxes(config)
    for split in ('val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        assert all(leaf.bbox_file == '' for leaf in leaves(dataset))
        assert leaves(dataset) == [dataset] or 'bbox_file' not in dataset


@pytest.mark.parametrize('name', WRAPPERS)
def test_inference_is_that_of_the_plain_dataset(plain, name):
    config, checkpoint = plain
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    boxes = [[5, 5, 60, 90], [40, 20, 150, 110]]
    expected = load_estimator(config, checkpoint).predict(image, boxes, channel_order='bgr')
    found = load_estimator(wrapped(config, name), checkpoint).predict(image, boxes, channel_order='bgr')
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    assert keypoint_set_of_config(wrapped(config, name)) == keypoint_set_of_config(config)


def test_another_step_that_needs_annotations_is_named(plain):
    config = deepcopy(plain[0])
    dataset = config.test_dataloader.dataset
    dataset.pipeline = [*dataset.pipeline[:1], dict(type='RandomHalfBody', prob=1.0), *dataset.pipeline[1:]]
    with pytest.raises(ValueError, match='test_dataloader needs .keypoints'):
        load_estimator(config, plain[1])
