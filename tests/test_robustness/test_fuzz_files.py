"""Files by chance: whatever bytes or JSON a user hands over, the answer is a result or our own sentence."""

import json
import pickle
import random
from dataclasses import asdict
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from dataset_converters.dataset_report import annotation_warnings, detection_warnings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inference_boxes import CocoBoxes
from inference_video import VideoReader, VideoWriter
from results_evaluation import ResultsEvaluation
from tiny_coco import NAMES, coco_content
from worst_cases import persons_of, skeleton_of

from dyconv_pose.apis import read_checkpoint
from dyconv_pose.datasets.rules import check_annotations, check_detections, read_annotations
from dyconv_pose.inference.images import as_image, read_image
from dyconv_pose.inference.results import Image

pytestmark = pytest.mark.filterwarnings('ignore')

#: A user's mistake, as the tools say it.
OUR_ERRORS = (ValueError, FileNotFoundError)

ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    10**400,
    float('nan'),
    float('inf'),
    '',
    'a',
    '\ud800',
    [],
    {},
    [[]],
    [None],
    {'a': 1},
]
scalars = st.one_of(
    st.sampled_from(ODD), st.integers(), st.floats(), st.text(max_size=5), st.booleans(), st.integers(-(2**70), 2**70)
)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def coco_detections():
    box = [5.0, 5.0, 50.0, 60.0]
    return [dict(image_id=i, category_id=1, bbox=box, score=0.5) for i in (1, 2)]


def coco_results():
    return [
        dict(image_id=i, category_id=1, keypoints=[10.0, 10.0, 0.5] * 17, score=0.5, bbox=[1, 1, 9, 9]) for i in (1, 2)
    ]


def spoiled(content, rng, values):
    """The content with some values replaced, removed or repeated at any depth."""
    holder = [json.loads(json.dumps(content))]
    for value in values:
        node, key = holder, 0
        while isinstance(node[key], list | dict) and node[key] and rng.random() < 0.9:
            node = node[key]
            key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        action = rng.random()
        if action < 0.7 or node is holder:
            node[key] = value
        elif action < 0.85:
            del node[key]
        elif isinstance(node, list):
            node.insert(key, node[key])
    return holder[0]


@st.composite
def malformed(draw, content):
    """JSON near to a valid file, or any at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(any_json)
    return spoiled(
        content, random.Random(draw(st.integers(0, 2**32))), draw(st.lists(any_json, min_size=1, max_size=3))
    )


def image_bytes(ending):
    rng = np.random.default_rng(0)
    return cv2.imencode(ending, rng.integers(0, 255, (9, 13, 3), np.uint8))[1].tobytes()


IMAGES = [image_bytes(ending) for ending in ('.jpg', '.png', '.bmp', '.webp', '.tiff', '.ppm')]


@st.composite
def damaged(draw, originals):
    """Any bytes, or a file with some of its bytes changed, left out or put in."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        part = draw(st.binary(max_size=8))
        content[place : place + draw(st.integers(0, 8))] = part
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


def dump(content, path):
    try:
        path.write_text(json.dumps(content), encoding='utf-8')
    except UnicodeEncodeError:
        path.write_text(json.dumps(content, ensure_ascii=True), encoding='utf-8')
    return path


def use_boxes(content, path):
    source = CocoBoxes(dump(content, path))
    source.find(Image(np.zeros((120, 160, 3), np.uint8), '000000000001.jpg'))


def use_annotations(content, path):
    """As a training does: what stops it is one sentence."""
    table, findings = read_annotations(dump(content, path), 17)
    if table is not None:
        findings = check_annotations(table, NAMES, True, True) + annotation_warnings(table, NAMES, True)
    for found in findings:
        json.dumps(asdict(found))
    stop_at(findings)


def stop_at(findings):
    if errors := [found.sentence for found in findings if found.severity == 'error']:
        raise ValueError(errors[0])


def use_detections(content, path):
    table, _ = read_annotations(dump(coco_content(2), path.with_name('whole.json')), 17)
    errors = check_detections(dump(content, path), table)
    detection_warnings(path, table)
    stop_at(errors)


def use_results(content, path):
    truth = dump(coco_content(2), path.with_name('whole.json'))
    persons_of(ResultsEvaluation(truth, dump(content, path)))


def use_truth(content, path):
    evaluation = ResultsEvaluation(dump(content, path), dump(coco_results(), path.with_name('whole.json')))
    persons_of(evaluation)
    skeleton_of(evaluation)


def use_image(content, path):
    path.write_bytes(content)
    assert read_image(path).dtype == np.uint8


def use_video(content, path):
    path = path.with_suffix('.mp4')
    path.write_bytes(content)
    assert all(frame.dtype == np.uint8 for frame, _ in islice(VideoReader(path), 20))


def video_bytes(folder):
    writer = VideoWriter(folder / 'whole.mp4', Fraction(10), Fraction(1, 10))
    for level in range(6):
        writer.write(np.full((32, 48, 3), 40 * level, np.uint8), level)
    writer.close()
    return (folder / 'whole.mp4').read_bytes()


def use_checkpoint(content, path):
    path.write_bytes(content)
    assert isinstance(read_checkpoint(path), dict)


def use_array(content, path):
    assert as_image(content, 'bgr').dtype == np.uint8


def use_json_bytes(content, path):
    path.write_bytes(content)
    stop_at(read_annotations(path, 17)[1])
    CocoBoxes(path)


def checkpoint_bytes(folder):
    content = {'state_dict': torch.nn.Linear(2, 2).state_dict(), 'meta': {'a': np.arange(3.0), 'b': (1, 'x')}}
    files = []
    for is_zip in (True, False):
        torch.save(content, folder / 'whole.pth', _use_new_zipfile_serialization=is_zip)
        files.append((folder / 'whole.pth').read_bytes())
    return [*files, pickle.dumps({'state_dict': {}}, 2)]


@st.composite
def arrays(draw):
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    return np.zeros(shape, draw(st.sampled_from(['uint8', 'int8', 'float32', 'bool', 'object', 'S3', 'complex64'])))


def kinds(folder):
    """What is read, how, and how much of the cases it gets."""
    sources = [json.dumps(content).encode() for content in (coco_content(2), coco_detections())]
    return {
        'boxes: annotations': (malformed(coco_content(2)), use_boxes, 2),
        'boxes: detections': (malformed(coco_detections()), use_boxes, 2),
        'data check: annotations': (malformed(coco_content(2)), use_annotations, 3),
        'data check: detections': (malformed(coco_detections()), use_detections, 1),
        'scores: results': (malformed(coco_results()), use_results, 1),
        'scores: annotations': (malformed(coco_content(2)), use_truth, 1),
        'JSON: bytes': (damaged(sources), use_json_bytes, 1),
        'images: bytes': (damaged(IMAGES), use_image, 3),
        'videos: bytes': (damaged([video_bytes(folder)]), use_video, 1),
        'images: arrays': (arrays(), use_array, 1),
        'checkpoints: bytes': (damaged(checkpoint_bytes(folder)), use_checkpoint, 3),
    }


def try_all(strategy, use, number, path):
    """Tries so many cases; returns how many there were and how many of them were refused."""
    counts = dict(cases=0, refused=0)

    @settings(
        max_examples=number, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(strategy)
    def run(content):
        counts['cases'] += 1
        try:
            use(content, path)
        except OUR_ERRORS as error:
            counts['refused'] += 1
            assert str(error)

    run()
    return counts


NAMES_OF_KINDS = (
    'boxes: annotations', 'boxes: detections', 'data check: annotations', 'data check: detections', 'scores: results',
    'scores: annotations', 'JSON: bytes', 'images: bytes', 'videos: bytes', 'images: arrays', 'checkpoints: bytes',
)  # fmt: skip


@pytest.mark.parametrize('name', NAMES_OF_KINDS)
def test_no_other_error(tmp_path, name):
    strategy, use, share = kinds(tmp_path)[name]
    counts = try_all(strategy, use, 10 * share, tmp_path / 'file')
    assert counts['refused'] > 0


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES_OF_KINDS)
def test_no_other_error_many_times(tmp_path, record, name):
    strategy, use, share = kinds(tmp_path)[name]
    counts = try_all(strategy, use, 800 * share, tmp_path / 'file')
    assert counts['refused'] > 0
    record('fuzzed files', **{name: counts})
