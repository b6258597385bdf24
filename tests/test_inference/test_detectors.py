"""Where persons come from: files, detectors and the last frame; and persons that were found twice."""

import json

import numpy as np
import pytest
from inference_boxes import CocoBoxes

from dyconv_pose.inference import Boxes, Image, load_detector
from dyconv_pose.inference.detectors import OnnxDetector, WholeImage
from dyconv_pose.inference.predictor import Tracker
from dyconv_pose.inference.results import Poses, without_duplicates
from dyconv_pose.resources import NETWORKS, find_weights

BLACK = Image(np.zeros((320, 240, 3), dtype=np.uint8), 'a.jpg')


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def test_detections_are_found_by_number_or_by_annotations(tmp_path):
    detections = [
        dict(image_id=139, category_id=1, bbox=[10, 20, 30, 40], score=0.9),
        dict(image_id=139, category_id=1, bbox=[1, 2, 3, 4], score=0.1),
        dict(image_id=139, category_id=3, bbox=[1, 2, 3, 4], score=0.9),
    ]
    path = written(tmp_path / 'det.json', detections)
    found = CocoBoxes(path, threshold=0.5).find(Image(BLACK.pixels, 'val2017/000000000139.jpg'))
    np.testing.assert_allclose(found.xyxy, [[10, 20, 40, 60]])
    np.testing.assert_allclose(found.scores, [0.9])
    assert len(CocoBoxes(path).find(Image(BLACK.pixels, '000000000785.jpg'))) == 0
    with pytest.raises(ValueError, match='street'):
        CocoBoxes(path).find(Image(BLACK.pixels, 'street.jpg'))
    images = written(tmp_path / 'ann.json', dict(images=[dict(id=139, file_name='street.jpg')]))
    assert len(CocoBoxes(path, images).find(Image(BLACK.pixels, 'street.jpg'))) == 2


def test_annotated_boxes_end_at_the_border_as_mmposes(tmp_path):
    annotation = dict(image_id=1, category_id=1, keypoints=[1, 1, 1], bbox=[-5, 10, 300, 400])
    unlabelled = dict(annotation, keypoints=[0, 0, 0])
    image = dict(id=1, file_name='a.jpg', width=240, height=320)
    path = written(tmp_path / 'ann.json', dict(images=[image], annotations=[annotation, unlabelled]))
    np.testing.assert_allclose(CocoBoxes(path).find(BLACK).xyxy, [[0, 10, 239, 319]])


@pytest.mark.parametrize('content', [{}, {'images': []}, [{'image_id': 1}], 'text', [[1, 2]]])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match='COCO'):
        CocoBoxes(written(tmp_path / 'a.json', content))


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('none.onnx', FileNotFoundError, 'none.onnx'),
        ('magic', ValueError, 'magic'),
        ('hog', ValueError, 'took the place of "hog"'),
        ('mmdet:only', ValueError, 'CONFIG'),
    ],
)
def test_a_source_that_is_not_there_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        load_detector(name)


@pytest.mark.parametrize(
    'box',
    [[10, 10, 10, 20], [20, 10, 10, 20], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [240, 0, 250, 10], [-9, 0, 0, 10]],
)
def test_boxes_without_a_part_of_the_image_are_refused(box):
    with pytest.raises(ValueError, match=r'A box of "a\.jpg" must'):
        Boxes.of([[0, 0, 5, 5], box]).check(BLACK)


@pytest.mark.parametrize('shape', [(4,), (2, 3), (1, 2, 4)])
def test_boxes_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match='shape'):
        Boxes.of(np.ones(shape))


def poses_at(points, scores, size=100.0):
    """Persons of 17 keypoints around each point, with one score for all keypoints."""
    spread = np.random.default_rng(0).uniform(0, size, (17, 2))
    keypoints = np.array([spread + point for point in points], dtype=np.float32)
    count = len(points)
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    all_scores = np.repeat(np.float32(scores)[:, None], 17, axis=1)
    return Poses(keypoints, all_scores, boxes, np.ones(count, np.float32), boxes)


def test_duplicates_are_those_of_mmposes_nms():
    from mmpose.evaluation.functional import oks_nms

    sigmas = np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]) / 10  # noqa: E501  # fmt: skip
    rng = np.random.default_rng(1)
    poses = poses_at(rng.uniform(0, 12, (30, 2)), rng.uniform(0.3, 1, 30))
    sizes = poses.regions[:, 2:] - poses.regions[:, :2]
    persons = [
        dict(keypoints=np.column_stack([one, score]), score=total, area=size.prod())
        for one, score, total, size in zip(poses.keypoints, poses.scores, poses.person_scores(), sizes, strict=True)
    ]
    kept = oks_nms(persons, 0.9, sigmas=sigmas)
    assert 3 < len(kept) < 28
    np.testing.assert_array_equal(without_duplicates(poses, tuple(sigmas)).keypoints, poses.keypoints[kept])


def test_persons_are_followed_between_detections_and_found_again_when_lost():
    class Detector:
        calls = 0

        def find(self, image):
            self.calls += 1
            return Boxes.of([[0, 0, 100, 100, 0.8]])

    tracker = Tracker((detector := Detector()).find, every=4)
    seen = []
    for frame in range(8):
        boxes = tracker.find(BLACK)
        seen.append((detector.calls, len(boxes)))
        tracker.update(poses_at([(10 + frame, 20)], [0.0 if frame == 5 else 0.9]), (240, 320))
    assert [calls for calls, _ in seen] == [1, 1, 1, 1, 2, 2, 3, 3]  # at 0 and 4, and at 6 since 5 was lost
    boxes = tracker._next
    keypoints = poses_at([(17, 20)], [0.9]).keypoints[0]
    assert (boxes.xyxy[0, :2] <= keypoints.min(axis=0)).all() and (boxes.xyxy[0, 2:] >= keypoints.max(axis=0)).all()
    poses = poses_at([(10, 20)], [0.9])
    poses.scores[0, 5:] = 0  # only five joints are seen: the box moves and shrinks little
    tracker.update(poses, (240, 320))
    sides = tracker._next.xyxy[0, 2:] - tracker._next.xyxy[0, :2]
    assert (sides >= 0.89 * (poses.boxes[0, 2:] - poses.boxes[0, :2])).all() or tracker._next.xyxy.min() == 0


@pytest.mark.parametrize(
    ('name', 'corner', 'outside', 'value'),
    [('yolox_m.onnx', (0, 0), 114, 50), ('rtmdet_m.onnx', (0, 0), 0, 0), ('multipose.onnx', (80, 0), 0, 50)],
)
def test_detections_are_scaled_back(name, corner, outside, value):
    """The image (240, 320) is twice as large in the input, in a corner or in the middle, as the network knows it."""
    inputs, box = [], np.array([100, 200, 180, 400, 0.9])
    rows = np.float32([box + np.array([*corner, *corner, 0]), [0, 0, 50, 50, 0.9], [0, 0, 50, 50, 0.1]])[None]

    def network(batch):
        inputs.append(batch[0])
        return [rows, np.array([[0, 7, 0]])]

    image = Image(np.full((320, 240, 3), 50, dtype=np.uint8))
    found = OnnxDetector(network, (640, 640), name).find(image)
    np.testing.assert_allclose(found.xyxy, [[50, 100, 90, 200]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9 ** (0.5 if name == 'multipose.onnx' else 1)], rtol=1e-6)
    inside = inputs[0][:, :, corner[0] : corner[0] + 480]
    beyond = np.concatenate([inputs[0][:, :, : corner[0]], inputs[0][:, :, corner[0] + 480 :]], axis=2)
    if name.startswith('rtmdet'):
        means, stds = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
        inside, beyond = ((part * stds[:, None, None] + means[:, None, None]) for part in (inside, beyond))
        value, outside = 50, 114
    np.testing.assert_allclose(inside, value, atol=1e-4)
    np.testing.assert_allclose(beyond, outside, atol=1e-4)


def test_detections_of_another_form_are_refused():
    for output in (np.zeros((1, 17, 64, 48)), np.zeros((1, 8400, 85))):  # heatmaps; YOLOX without suppression
        with pytest.raises(ValueError, match='after suppression'):
            OnnxDetector(lambda batch, output=output: [output], (320, 320), 'a.onnx').find(BLACK)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    pytest.importorskip('onnxruntime')
    (tmp_path / 'a.onnx').write_text('no model')
    with pytest.raises(ValueError, match=r'a\.onnx'):
        OnnxDetector.load(tmp_path / 'a.onnx')
    with pytest.raises(ValueError, match='and give detections'):
        OnnxDetector.load(find_weights(NETWORKS['x1.0-collapsed']))


def test_the_whole_image():
    np.testing.assert_array_equal(WholeImage().find(BLACK).xyxy, [[0, 0, 240, 320]])


@pytest.mark.parametrize('size', [(1, 1, 3), (40, 3000, 3), (500, 3, 3)])
def test_the_detector_that_ships_takes_any_size(size):
    pytest.importorskip('onnxruntime')
    assert len(load_detector().find(Image(np.zeros(size, np.uint8)))) == 0
