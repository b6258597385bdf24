"""Boxes from COCO files: which category are the persons, and files of another form than they seem."""

import json
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from inference_boxes import CocoBoxes
from inference_run import Run, RunOptions

from dyconv_pose.inference import Image

BLACK = Image(np.zeros((320, 240, 3), dtype=np.uint8), '7.png')
PERSON = dict(id=1, image_id=7, category_id=1, iscrowd=0, keypoints=[1, 1, 2, 5, 5, 2], bbox=[10, 20, 100, 200])
BOX = dict(image_id=7, category_id=1, bbox=[10.0, 20.0, 100.0, 200.0], score=0.4)


def annotations(*persons, categories=None):
    images = [dict(id=7, file_name='7.png', width=240, height=320)]
    content = dict(images=images, annotations=[PERSON | person for person in persons])
    return content if categories is None else content | dict(categories=categories)


@pytest.fixture
def boxes(tmp_path):
    """The boxes of a file, with annotations for a file of detections."""

    def load(content, truth=None, **options):
        for name, one in (('boxes', content), ('truth', truth)):
            (tmp_path / f'{name}.json').write_text(json.dumps(one))
        return CocoBoxes(tmp_path / 'boxes.json', tmp_path / 'truth.json' if truth else None, **options)

    return load


def category(number, name='person', **more):
    return dict(id=number, name=name) | more


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (annotations(dict(category_id=2), categories=[category(2)]), 2),
        (annotations(dict(category_id=2), categories=[category(1, 'car'), category(2, 'human')]), 2),
        (annotations(dict(category_id=0)), 0),
        (annotations({}, categories=[category(1, keypoints=['a', 'b']), category(2, 'car')]), 1),
        (annotations({}, dict(category_id=2), categories=[category(1, 'dog'), category(2)]), 2),
        (annotations({}, dict(category_id=2)), 1),
    ],
)
def test_the_only_category_with_keypoints_is_taken(boxes, content, expected):
    source = boxes(content)
    assert source.category_id == expected
    assert len(source.find(BLACK)) == 1


def test_several_categories_without_a_person_are_refused(boxes):
    with pytest.raises(ValueError, match=r'one of its categories must be that of persons, and it has \[2, 3\]'):
        boxes(annotations(dict(category_id=2), dict(category_id=3)))
    with pytest.raises(ValueError, match='none of its annotations of category 1 has a labelled'):
        boxes(annotations(dict(keypoints=[0] * 6)))


def test_detections_are_of_the_category_of_the_annotations(boxes):
    truth = annotations(dict(category_id=2), categories=[category(2)])
    assert len(boxes([BOX | dict(category_id=2)], truth).find(BLACK)) == 1
    with pytest.raises(ValueError, match=r'no detection is of category 2, the persons, the file has \[1\]'):
        boxes([BOX], truth)
    with pytest.raises(ValueError, match=r'category 1, the persons, the file has \[0\]: renumber'):
        boxes([BOX | dict(category_id=0)])
    with pytest.raises(ValueError, match='the file is empty'):
        boxes([])


@pytest.mark.parametrize('key', ['conf', 'confidence'])
def test_detections_need_their_score(boxes, key):
    other = {name: value for name, value in BOX.items() if name != 'score'} | {key: 0.4}
    with pytest.raises(ValueError, match=rf'COCO.*lack "score" \(a number\), the first has .*{key}'):
        boxes([other])
    assert len(boxes([BOX], threshold=0.5).find(BLACK)) == 0


def test_boxes_that_are_corners_are_refused(boxes):
    corners = [BOX | dict(bbox=[100.0 + k, 120.0, 200.0, 300.0]) for k in range(3)]
    with pytest.raises(ValueError, match='far outside their image: are they x, y, width, height'):
        boxes(corners, annotations({}))
    some = [BOX | dict(bbox=[10.0 + 20 * k, 20.0, 20.0 + 20 * k, 50.0]) for k in range(9)]  # three are far outside
    with pytest.raises(ValueError, match='far outside'):
        boxes(some, annotations({}))
    with pytest.raises(ValueError, match='five numbers as box, as of corners and a score'):
        boxes([BOX | dict(bbox=[10.0, 20.0, 60.0, 70.0, 0.9])], annotations({}))
    assert len(boxes([BOX | dict(bbox=[10.0, 20.0, 5.0, 5.0, 0.9])], annotations({})).find(BLACK)) == 1


def test_other_images_may_have_boxes_too(boxes):
    assert len(boxes([BOX, BOX | dict(image_id=9)], annotations({})).find(BLACK)) == 1


@pytest.mark.parametrize('is_corners', [True, False])
def test_a_run_looks_at_the_sizes_of_its_images_before_it_begins(tmp_path, boxes, spots, is_corners):
    cv2.imwrite(str(tmp_path / '7.png'), BLACK.pixels)
    spots.detector = boxes([BOX | dict(bbox=[100.0, 120.0, 200.0, 300.0] if is_corners else BOX['bbox'])])
    run = Run(spots, tmp_path / 'out', RunOptions(), Mock())
    if is_corners:
        with pytest.raises(ValueError, match=r'boxes.json" 1 detections lie far outside their image.*image 7'):
            run([str(tmp_path / '7.png')])
        assert not (tmp_path / 'out').exists()
    else:
        run([str(tmp_path / '7.png')])
        assert run.persons.total() == 1 and not run.failures
