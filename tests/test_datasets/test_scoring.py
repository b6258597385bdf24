"""The rules ask what the evaluator of a config needs, and refuse at once what it cannot compute or would score 0."""

import json

import pytest
from tiny_coco import coco_content, every, tiny_config, without, write_coco

from dyconv_pose.datasets.check import check_data

PCK = dict(type='PCKAccuracy', thr=0.2, norm_item='bbox')
BOX = dict(image_id=1, category_id=1, bbox=[5.0, 5.0, 50.0, 60.0], score=0.9)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


@pytest.fixture
def check(data, tmp_path):
    """Checks the validation set with other annotations, detections and changes to its evaluator."""

    def check(content, boxes=None, evaluator=None, truth=None):
        config = tiny_config(data, tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})
        files = dict(annotations=content, boxes=boxes, truth=truth)
        places = {name: str(tmp_path / f'{name}.json') for name in files}
        for name, one in files.items():
            (tmp_path / f'{name}.json').write_text(json.dumps(one))
        config.val_dataloader.dataset.ann_file = places['annotations']
        config.val_evaluator.ann_file = places['annotations' if truth is None else 'truth']
        if boxes is not None:
            config.val_dataloader.dataset.bbox_file = places['boxes']
        if isinstance(evaluator, list):
            config.val_evaluator = evaluator
        config.val_evaluator.update(evaluator) if isinstance(evaluator, dict) else None
        check_data(config, ('val',))

    return check


def test_areas_are_needed_where_they_are_used(check):
    with pytest.raises(ValueError, match='no "area", which COCO AP needs: add it, or set use_area=False'):
        check(without('area'))
    check(without('area'), evaluator=dict(use_area=False))
    check(without('area'), evaluator=[PCK])
    with pytest.raises(ValueError, match='no "area"'):
        check(without('area'), evaluator=[PCK, dict(type='CocoMetric')])
    with pytest.raises(ValueError, match='no "area"'):
        check(without('area'), evaluator=[dict(type='MultiDatasetEvaluator', metrics=[dict(type='CocoMetric')])])


@pytest.mark.parametrize('key', ['iscrowd', 'num_keypoints'])
def test_what_mmpose_derives_is_not_needed(check, key):
    check(without(key))


@pytest.mark.parametrize(
    'metric', [dict(type='CocoMetric', iou_type='keypoints_crowd'), dict(type='CocoWholeBodyMetric')]
)
def test_evaluations_that_need_xtcocotools_are_refused_at_once(check, metric):
    with pytest.raises(ValueError, match='install xtcocotools'):
        check(coco_content(), evaluator=[metric])


def test_detections_of_another_category_than_the_persons_are_refused(check):
    check(coco_content(), [BOX])
    of_two = every(category_id=2) | dict(categories=[dict(id=2, name='person')])
    check(of_two)
    with pytest.raises(ValueError, match=r'takes detections for category 1, and the annotated persons are of \[2\]'):
        check(of_two, [BOX])
    with pytest.raises(ValueError, match=r'no detection is of category 1, the persons, the file has \[0\]'):
        check(coco_content(), [BOX | dict(category_id=0)])


def test_detections_with_other_keys_or_forms_are_refused(check):
    other = {key: value for key, value in BOX.items() if key != 'score'} | dict(conf=0.9)
    with pytest.raises(ValueError, match=r'1 detections lack "score" \(a number\), the first has .*conf'):
        check(coco_content(), [other])
    with pytest.raises(ValueError, match='"image_id" that is not an integer but \'1\''):
        check(coco_content(), [BOX | dict(image_id='1')])
    with pytest.raises(ValueError, match='five numbers'):
        check(coco_content(), [BOX | dict(bbox=[5, 5, 55, 65, 0.9])])
    with pytest.raises(ValueError, match='smaller than one pixel'):
        check(coco_content(), [BOX | dict(bbox=[0.1, 0.1, 0.5, 0.5])])


def test_annotations_that_are_scored_against_must_be_those_of_the_set(check):
    check(without('area'), truth=coco_content())
    with pytest.raises(ValueError, match=r'truth.json" .*no "area"'):
        check(coco_content(), truth=without('area'))
    with pytest.raises(ValueError, match='not in the annotations of its metric'):
        check(coco_content(4), truth=coco_content(3))
    with pytest.raises(ValueError, match='categories of the test'):
        check(coco_content(), truth=every(category_id=2) | dict(categories=[dict(id=2, name='person')]))


def test_training_does_without_a_list_of_categories(data, tmp_path):
    config = tiny_config(data, tmp_path / 'work')
    content = {key: value for key, value in coco_content().items() if key != 'categories'}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    config.train_dataloader.dataset.ann_file = str(tmp_path / 'a.json')
    check_data(config, ('train',))
