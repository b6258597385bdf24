"""The check before a training: errors of the data stop it with a sentence, and what is tolerated does not."""

import json

import pytest
from tiny_coco import edited, tiny_config, without, write_coco

from dyconv_pose.datasets.check import check_data


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


@pytest.fixture
def config(data, tmp_path):
    config = tiny_config(data, tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})
    config.train_dataloader.dataset.ann_file = str(tmp_path / 'annotations.json')
    return config


@pytest.fixture
def check(config, tmp_path):
    def check(content):
        (tmp_path / 'annotations.json').write_text(json.dumps(content))
        check_data(config, ('train', 'val'))

    return check


def test_errors_stop(check):
    sentence = (
        r'train data cannot be used.*annotations.json.*1 boxes lie outside.*annotation 2.*check_dataset.py .*128x96'
    )
    with pytest.raises(ValueError, match=sentence):
        check(edited(bbox=[200, 5, 10, 10], num_keypoints=16))
    with pytest.raises(ValueError, match='no annotation has "keypoints"'):
        check(without('keypoints'))


def test_what_is_tolerated_does_not_stop(check):
    check(edited(num_keypoints=16, bbox=[100, 5, 70, 10]))
    check(without('area'))


def test_detections_are_checked(config, check, tmp_path):
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps([dict(image_id=77, category_id=1, bbox=[5, 5, 9, 9], score=1)]))
    config.val_dataloader.dataset.bbox_file = str(boxes)
    with pytest.raises(ValueError, match=r'val data cannot.*boxes.json.*images that the annotations do not list'):
        check(edited())


def test_missing_images(config, check):
    config.train_dataloader.dataset.data_prefix.img = 'val2017/'
    check(edited())
    with pytest.raises(ValueError, match=r'1 image files are missing in ".*val2017" \(file 9.jpg\)'):
        content = edited()
        content['images'][2]['file_name'] = '9.jpg'
        check(content)


def test_a_head_with_another_number_of_keypoints_is_refused(config, check):
    config.model.head.out_channels = 14
    with pytest.raises(ValueError, match='out_channels=14 for the 17 keypoints of the train set: set model'):
        check(edited())
    mapping = [(k, k) for k in range(14)]
    converter = dict(type='KeypointConverter', num_keypoints=14, mapping=mapping)
    config.train_dataloader.dataset.pipeline.insert(1, converter)
    with pytest.raises(ValueError, match='keypoints of the val set'):
        check(edited())
    config.model.head.out_channels = 17
    check(edited())


def test_the_dataset_of_a_further_validation_is_checked(config, check, data, tmp_path):
    further = dict(
        type='FurtherValidationHook', dataloader=config.val_dataloader.copy(), evaluator=config.val_evaluator
    )
    config.default_hooks.further = further
    check(edited())
    (tmp_path / 'further.json').write_text(json.dumps(without('keypoints')))
    config.default_hooks.further.dataloader.dataset = dict(
        config.val_dataloader.dataset, ann_file=str(tmp_path / 'further.json')
    )
    with pytest.raises(ValueError, match='further validation data cannot be used.*further.json" no annotation has'):
        check(edited())
    config.default_hooks.further.dataloader.dataset.ann_file = 'none.json'
    with pytest.raises(FileNotFoundError, match='further validation set needs its annotation file'):
        check(edited())
    config.val_dataloader = None  # nothing is validated
    check(edited())
