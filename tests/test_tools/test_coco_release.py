"""What is whole is said to be, and each thing that is not is found."""

import json

import pytest
from dataset_converters.coco_release import COCO_2017, Release, Split, check_release, md5_of
from tiny_coco import annotation_path, coco_content, write_annotations, write_coco

BOXES = 'boxes.json'
RELEASE = Release(
    splits=(Split('train2017', 4, 8), Split('val2017', 4, 8)),
    detections=BOXES,
    boxes=2,
    md5={'a.zip': '900150983cd24fb0d6963f7d28e17f72'},  # that of "abc", in RFC 1321
)


@pytest.fixture
def root(tmp_path):
    write_coco(tmp_path)
    boxes = [dict(category_id=kind, image_id=1, bbox=[0, 0, 1, 1], score=1.0) for kind in (1, 2, 1)]
    (tmp_path / BOXES).write_text(json.dumps(boxes))
    (tmp_path / 'a.zip').write_text('abc')
    return tmp_path


def rules(root, archives=None):
    return [(found.split, found.rule, found.severity) for found in check_release(root, archives, RELEASE)]


def test_whole(root):
    said = []
    assert check_release(root, root, RELEASE, said.append) == []
    assert len(said) == 8  # images, persons and files of two parts, boxes, archive
    assert any('8 persons with labelled keypoints' in line for line in said)


def test_crowds_and_unlabelled_persons_do_not_count(root):
    content = coco_content()
    content['annotations'][0]['iscrowd'] = 1
    content['annotations'][1].update(num_keypoints=0, keypoints=[0] * 51)
    write_annotations(root, content)
    (found,) = check_release(root, release=RELEASE)
    assert found.message == 'persons must be 8, the file has 6'


def test_what_is_missing(root):
    (root / 'train2017' / '000000000002.jpg').unlink()
    (root / 'train2017' / '000000000003.jpg').write_bytes(b'')
    annotation_path(root, 'val2017').unlink()
    (root / BOXES).unlink()
    assert rules(root, root / 'elsewhere') == [
        ('train2017', 'missing-image', 'error'),
        ('train2017', 'empty-image', 'error'),
        ('val2017', 'missing', 'error'),
        ('val2017', 'missing', 'warning'),
        ('archives', 'missing', 'warning'),
    ]


def test_what_is_damaged(root):
    (root / 'a.zip').write_text('abd')
    (root / BOXES).write_text('[{"category_id": 1}')
    write_annotations(root, coco_content(num_images=3))
    assert [rule for _, rule, _ in rules(root, root)] == ['count', 'count', 'json', 'md5']


def test_sum_of_a_file(root):
    assert md5_of(root / 'a.zip') == RELEASE.md5['a.zip']
    assert all(len(value) == 32 for value in COCO_2017.md5.values())
