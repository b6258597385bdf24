"""Rules of annotations: each finds what breaks it, and what is in order gives nothing."""

import json
import time

import numpy as np
import pytest
from dataset_converters.dataset_report import annotation_warnings
from tiny_coco import NAMES, coco_content, edited, every, without

from dyconv_pose.datasets.rules import (
    ABSENT,
    MALFORMED,
    PRESENT,
    check_annotations,
    number_rows,
    read_annotations,
)


def rules_of(content, path, is_scored=True):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    table, findings = read_annotations(path, len(NAMES))
    if table is not None:
        findings = check_annotations(table, NAMES, is_scored, True) + annotation_warnings(table, NAMES, is_scored)
    return {(found.rule, found.severity): found for found in findings}


def with_image(**changes):
    content = coco_content()
    content['images'][0].update(changes)
    return content


def with_category(**changes):
    content = coco_content()
    content['categories'][0].update(changes)
    return content


POINTS = coco_content()['annotations'][1]['keypoints']

CASES = {
    'no keypoints at all': (without('keypoints'), 'no-keypoints', 'error'),
    'no keypoints in one': (edited(keypoints=None), 'missing-keypoints', 'warning'),
    '16 keypoints': (edited(keypoints=POINTS[3:]), 'keypoints-form', 'error'),
    'two numbers a keypoint': (edited(keypoints=POINTS[:34]), 'keypoints-form', 'error'),
    'words for keypoints': (edited(keypoints=['a'] * 51), 'keypoints-form', 'error'),
    'NaN keypoint': (edited(keypoints=[float('nan'), *POINTS[1:]]), 'keypoints-form', 'error'),
    'infinite box': (edited(bbox=[0, 0, float('inf'), 5]), 'bbox-form', 'error'),
    'infinite area': (edited(area=float('inf')), 'area-form', 'error'),
    'negative visibility': (edited(keypoints=[*POINTS[:2], -1, *POINTS[3:]]), 'visibility', 'error'),
    'visibility 3': (edited(keypoints=[*POINTS[:2], 3, *POINTS[3:]]), 'visibility', 'warning'),
    'point just outside': (edited(keypoints=[163, *POINTS[1:]]), 'keypoints-outside', 'warning'),
    'points of another image size': (every(keypoints=[400, 400, 2] * 17), 'keypoints-outside', 'error'),
    'no boxes at all': (without('bbox'), 'no-bbox', 'error'),
    'no box in one': (edited(bbox=None), 'missing-bbox', 'warning'),
    'three numbers a box': (edited(bbox=[1, 2, 3]), 'bbox-form', 'error'),
    'null in a box': (edited(bbox=[1, 2, 3, None]), 'bbox-form', 'error'),
    'negative width': (edited(bbox=[50, 5, -10, 10]), 'box-size', 'error'),
    'empty box': (edited(bbox=[50, 5, 0, 10]), 'box-size', 'warning'),
    'box outside': (edited(bbox=[200, 5, 10, 10]), 'box-outside', 'error'),
    'box left of the image': (edited(bbox=[-20, 5, 10, 10]), 'box-outside', 'error'),
    'box beyond the border': (edited(bbox=[100, 5, 70, 10]), 'box-outside', 'warning'),
    'corners for sizes': (every(bbox=[80, 60, 150, 110]), 'box-outside', 'error'),
    'shares for pixels': (every(bbox=[0.1, 0.1, 0.5, 0.5]), 'box-unit', 'error'),
    'no area': (edited(area=None), 'missing-area', 'error'),
    'zero area': (edited(area=0), 'zero-area', 'warning'),
    'area in words': (edited(area='large'), 'area-form', 'error'),
    'wrong count': (edited(num_keypoints=16), 'num-keypoints', 'warning'),
    'same annotation id': (edited(id=1), 'duplicate-id', 'error'),
    'annotation id 0': (edited(id=0), 'id-zero', 'warning'),
    'same image id': (with_image(id=2), 'duplicate-id', 'error'),
    'unknown image': (edited(image_id=99), 'unknown-image', 'error'),
    'image without width': (with_image(width=0), 'image-size', 'error'),
    'image id in words': (with_image(id='one'), 'form', 'error'),
    'huge image id': (with_image(id=10**30), 'form', 'error'),
    'no file name': (with_image(file_name=None), 'form', 'error'),
    'categories of another form': (coco_content() | dict(categories={}), 'form', 'error'),
    'annotation of no category': (edited(category_id=None), 'form', 'error'),
    'unlisted category': (edited(category_id=3), 'category', 'error'),
    'category 7': (every(category_id=7) | dict(categories=[dict(id=7, name='person')]), 'category', 'warning'),
    'other number of names': (with_category(keypoints=NAMES[:14]), 'keypoint-names', 'error'),
    'other order of names': (with_category(keypoints=NAMES[::-1]), 'keypoint-names', 'error'),
    'other name': (with_category(keypoints=['snout', *NAMES[1:]]), 'keypoint-names', 'warning'),
    'nobody labelled': (every(keypoints=[0] * 51, num_keypoints=0), 'no-persons', 'error'),
    'crowds only': (every(iscrowd=1), 'no-persons', 'error'),
    'no annotations': (coco_content() | dict(annotations=[]), 'no-persons', 'error'),
    'nobody large': (every(area=50.0**2), 'area-range', 'warning'),
    'no JSON': ('{"images": [', 'json', 'error'),
    'a list': ([1, 2], 'form', 'error'),
    'no images': ({'annotations': []}, 'form', 'error'),
    'annotations of numbers': (coco_content() | dict(annotations=[1, 2]), 'form', 'error'),
}


@pytest.mark.parametrize('case', CASES)
def test_rule_finds_what_breaks_it(tmp_path, case, record):
    content, rule, severity = CASES[case]
    found = rules_of(content, tmp_path / 'a.json')
    assert (rule, severity) in found
    assert found[rule, severity].count >= 1
    assert found[rule, severity].sentence
    record('spoiled annotations', **{case: severity})


def test_what_is_in_order_gives_nothing(tmp_path):
    assert rules_of(coco_content(), tmp_path / 'a.json') == {}


def test_what_coco_itself_has_is_no_error(tmp_path):
    """Crowds and persons without points, points a little outside, fractional boxes up to the border."""
    content = coco_content()
    content['annotations'][0].update(iscrowd=1, keypoints=[0] * 51, num_keypoints=0, segmentation={'counts': []})
    content['annotations'][1].update(keypoints=[0] * 51, num_keypoints=0)
    content['annotations'][2].update(bbox=[0.0, 0.28, 160.0, 119.72], keypoints=[161, 60, 1, *POINTS[3:]])
    assert rules_of(content, tmp_path / 'a.json') == {}


@pytest.mark.parametrize('key', ['num_keypoints', 'iscrowd'])
def test_scoring_does_without_what_mmpose_derives(tmp_path, key):
    assert rules_of(without(key), tmp_path / 'a.json') == {}


@pytest.mark.parametrize('key', ['area', 'num_keypoints', 'iscrowd'])
def test_training_does_without_what_only_ap_needs(tmp_path, key):
    found = rules_of(without(key), tmp_path / 'a.json', is_scored=False)
    assert all(severity == 'warning' for _, severity in found)


def test_counts_and_examples(tmp_path):
    content = coco_content(num_images=5)
    for place in (1, 4, 5, 6, 7, 8):
        content['annotations'][place]['bbox'] = [300, 5, 10, 10]
    found = rules_of(content, tmp_path / 'a.json')['box-outside', 'error']
    assert (found.count, found.examples) == (6, (2, 5, 6, 7, 8))
    assert found.sentence.startswith('6 boxes') and found.sentence.endswith('(annotation 2, 5, 6, 7, 8, ...)')


def test_number_rows():
    rows = [[1, 2], None, [1], 'ab', [1, '2'], [True, 1], [10**400, 0], [3.5, -1], [0, float('nan')]]
    numbers, states = number_rows(rows, 2)
    expected = [PRESENT, ABSENT, *[MALFORMED] * 5, PRESENT, MALFORMED]
    assert states.tolist() == expected
    assert numbers[[0, 7]].tolist() == [[1, 2], [3.5, -1]]
    assert np.isnan(numbers[[1, 2, 3, 4, 5, 6, 8]]).all()
    numbers, states = number_rows([1, None, 'a', 2.5])
    assert states.tolist() == [PRESENT, ABSENT, MALFORMED, PRESENT]
    assert numbers.shape == (4,)


@pytest.mark.slow
def test_150000_persons_take_seconds(tmp_path):
    content = coco_content()
    annotations = content['annotations']
    content['annotations'] = [dict(annotations[k % 8], id=k + 1) for k in range(150_000)]
    path = tmp_path / 'large.json'
    path.write_text(json.dumps(content))
    begin = time.perf_counter()
    table, _ = read_annotations(path, 17)
    assert check_annotations(table, NAMES, True, True) + annotation_warnings(table, NAMES, True) == []
    assert time.perf_counter() - begin < 15  # 3 s on an idle core
