"""Sizes in the headers of image files against the annotated ones, before a training and without being asked for."""

import json

import cv2
import numpy as np
import PIL.Image
import pytest
from dataset_converters.dataset_report import check_config
from tiny_coco import annotation_path, coco_content, tiny_config, write_annotations, write_coco

from dyconv_pose.datasets.check import check_data
from dyconv_pose.datasets.rules import header_size


@pytest.fixture
def data(tmp_path):
    return write_coco(tmp_path / 'coco')


def rotate(path, orientation=6):
    """Gives an image file an EXIF rotation; its pixels stay as they are."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.open(path).save(path, exif=exif)


@pytest.fixture
def config(data, tmp_path):
    return tiny_config(data, tmp_path / 'work', **{'val_dataloader.dataset.bbox_file': ''})


@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.webp', 'a.tiff', 'a.bmp'])
@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_the_header_says_the_size_that_is_read(tmp_path, name, orientation):
    path = tmp_path / name
    PIL.Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path)
    rotate(path, orientation)
    content = np.fromfile(path, np.uint8)
    assert header_size(path) == cv2.imdecode(content, cv2.IMREAD_COLOR).shape[1::-1]
    if name != 'a.tiff':
        as_stored = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert header_size(path, is_upright=False) == as_stored.shape[1::-1]


def test_what_is_no_image_has_no_size(tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    assert header_size(tmp_path / 'a.jpg') is header_size(tmp_path / 'none.jpg') is None


def test_images_annotated_on_raw_pixels_stop_a_training(config, data):
    for path in sorted((data / 'train2017').iterdir())[:3]:
        rotate(path)
    message = (
        r'train data cannot.*3 of 4 images have another size than annotated.*EXIF.*1.jpg: 120x160, annotated 160x120'
    )
    with pytest.raises(ValueError, match=message):
        check_data(config, ('train', 'val'))
    errors = [found for found in check_config(config) if found.severity == 'error']
    assert [found.rule for found in errors] == ['image-size']


def test_images_annotated_upright_are_in_order(config, data):
    content = coco_content()
    for image in content['images']:
        rotate(data / 'train2017' / image['file_name'])
        image.update(width=120, height=160)
    for annotation in content['annotations']:
        annotation.update(bbox=[5.0, 5.0, 60.0, 80.0], keypoints=[20, 20, 2] * 17)
    write_annotations(data, content)
    check_data(config, ('train', 'val'))


def test_a_few_other_sizes_are_a_warning(config, data):
    rotate(data / 'train2017/000000000001.jpg')
    check_data(config, ('train', 'val'))
    (found,) = check_config(config, ('train',))
    assert (found.rule, found.severity, found.count) == ('image-size', 'warning', 1)


def test_a_pipeline_may_read_images_as_they_are_stored(config, data):
    for path in (data / 'train2017').iterdir():
        rotate(path)
    pipeline = config.train_dataloader.dataset.pipeline
    next(step for step in pipeline if step['type'] == 'LoadImage')['color_type'] = 'color_ignore_orientation'
    check_data(config, ('train', 'val'))


def test_images_that_were_resized_stop_too(config, data):
    content = json.loads(annotation_path(data).read_text())
    for image in content['images']:
        cv2.imwrite(str(data / 'train2017' / image['file_name']), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(ValueError, match='80x60, annotated 160x120'):
        check_data(config, ('train',))
