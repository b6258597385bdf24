"""The synthetic sample set: right by COCO's own tools, by geometry, and every time."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_converters.synthetic_people import make_sample_set, render_sample
from dataset_converters.synthetic_people.coco import annotation_path, sample_rng
from dataset_converters.synthetic_people.drawing import render, sample_lighting
from dataset_converters.synthetic_people.people import Placement, make_person
from dataset_converters.synthetic_people.person.body import KEYPOINT_NAMES
from dataset_converters.synthetic_people.person.poses import Pose
from dataset_converters.synthetic_people.scene import NOBODY, annotate
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

ROOT = Path(__file__).parents[2]
NUM_VAL = 12
INDEX = {name: number for number, name in enumerate(KEYPOINT_NAMES)}
FACE = ('nose', 'left_eye', 'right_eye')


@pytest.fixture(scope='module')
def sample_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('set')
    assert make_sample_set(folder, 3, NUM_VAL, seed=7)
    return folder


@pytest.fixture(scope='module')
def coco(sample_set: Path) -> COCO:
    return COCO(annotation_path(sample_set, 'val2017'))


def _keypoints(annotation: dict) -> np.ndarray:
    return np.array(annotation['keypoints'], float).reshape(17, 3)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob('*') if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_another_process_writes_the_same_bytes(sample_set: Path, tmp_path: Path) -> None:
    program = (
        'from dataset_converters.synthetic_people import make_sample_set; '
        f'make_sample_set({str(tmp_path / "again")!r}, 3, {NUM_VAL}, seed=7)'
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT / 'tools'), 'PYTHONHASHSEED': '5'}
    subprocess.run([sys.executable, '-c', program], check=True, env=environment)
    assert _digest(tmp_path / 'again') == _digest(sample_set)


def test_images_do_not_depend_on_the_size_of_the_set(sample_set: Path, tmp_path: Path) -> None:
    make_sample_set(tmp_path, 1, 2, seed=7)
    for name in ('train2017/000000000001.jpg', 'val2017/000000000002.jpg'):
        assert (tmp_path / name).read_bytes() == (sample_set / name).read_bytes()
    small, large = (
        json.loads(annotation_path(folder, 'val2017').read_text())['annotations'] for folder in (tmp_path, sample_set)
    )
    assert small == [entry for entry in large if entry['image_id'] <= 2]


def test_seed_split_and_index_each_change_the_image() -> None:
    keys = [(7, 'train2017', 0), (8, 'train2017', 0), (7, 'val2017', 0), (7, 'train2017', 1)]
    images = [render_sample(sample_rng(*key), (96, 96))[0] for key in keys]
    assert len({image.tobytes() for image in images}) == 4


def test_images_on_disk_have_the_stated_size(sample_set: Path, coco: COCO) -> None:
    assert len(coco.imgs) == NUM_VAL
    assert len(list((sample_set / 'val2017').iterdir())) == NUM_VAL
    for entry in coco.imgs.values():
        image = cv2.imread(str(sample_set / 'val2017' / entry['file_name']))
        assert image.shape == (entry['height'], entry['width'], 3)
    assert coco.cats[1]['keypoints'] == list(KEYPOINT_NAMES)
    assert len(coco.cats[1]['skeleton']) == 19


def test_area_and_box_are_those_of_the_silhouette(coco: COCO) -> None:
    assert len(coco.anns) > NUM_VAL
    for annotation in coco.anns.values():
        silhouette = coco.annToMask(annotation)
        rows, columns = np.nonzero(silhouette)
        assert annotation['area'] == len(rows) == coco_mask.area(annotation['segmentation'])
        x, y = columns.min(), rows.min()
        assert annotation['bbox'] == [x, y, columns.max() - x + 1, rows.max() - y + 1]


def test_silhouettes_of_an_image_share_no_pixel(coco: COCO) -> None:
    for image_id in coco.imgs:
        masks = [coco.annToMask(entry) for entry in coco.imgToAnns[image_id]]
        assert not masks or np.sum(masks, 0).max() <= 1


def test_keypoints_agree_with_silhouette_and_image(coco: COCO) -> None:
    for annotation in coco.anns.values():
        points, image = _keypoints(annotation), coco.imgs[annotation['image_id']]
        x, y, v = points.T
        assert annotation['num_keypoints'] == (v > 0).sum() >= 3
        assert not points[v == 0].any()
        assert (x[v > 0] >= 0).all() and (x[v > 0] <= image['width'] - 1).all()
        assert (y[v > 0] >= 0).all() and (y[v > 0] <= image['height'] - 1).all()
        silhouette = cv2.dilate(coco.annToMask(annotation), np.ones((5, 5), np.uint8))
        seen = v == 2
        assert silhouette[y[seen].round().astype(int), x[seen].round().astype(int)].all()


def test_ground_truth_as_result_scores_one(coco: COCO) -> None:
    results = [
        {
            'image_id': entry['image_id'],
            'category_id': 1,
            'keypoints': entry['keypoints'],
            'score': 1.0,
        }
        for entry in coco.anns.values()
    ]
    evaluation = COCOeval(coco, coco.loadRes(results), 'keypoints')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    assert evaluation.stats[5] == pytest.approx(1.0)


def _alone(seed: int, yaw: float, hidden: bool = False) -> dict[str, np.ndarray]:
    """Draws one person with arms down; returns each keypoint's x, y, v by its name."""
    rng = np.random.default_rng(seed)
    person = make_person(rng, pitch=5.0, yaw=yaw, pose=Pose())
    centre, scale, size_wh = np.array([120.0, 150.0]), 240.0, (240, 300)
    rendering = render(person.solids, centre, scale, size_wh, sample_lighting(rng))
    owner = np.full(size_wh[::-1], NOBODY, np.int16)
    height, width = rendering.body.shape
    top, left = rendering.top, rendering.left
    owner[top : top + height, left : left + width][rendering.body] = 0
    if hidden:
        owner[150:] = NOBODY
    placement = Placement(person, centre, scale, np.zeros(4))
    points = _keypoints(annotate(placement, rendering, owner, 0))
    return {name: points[number] for name, number in INDEX.items()}


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('joint', ['shoulder', 'elbow', 'wrist', 'hip'])
def test_left_is_the_persons_left(seed: int, joint: str) -> None:
    front, back = _alone(seed, 0), _alone(seed, 180)
    assert front[f'left_{joint}'][0] > front[f'right_{joint}'][0] + 5
    assert back[f'left_{joint}'][0] < back[f'right_{joint}'][0] - 5


@pytest.mark.parametrize('seed', range(5))
def test_a_face_is_seen_from_the_front_only(seed: int) -> None:
    front, back = _alone(seed, 0), _alone(seed, 180)
    assert [front[name][2] for name in FACE] == [2, 2, 2]
    assert [back[name][2] for name in FACE] == [1, 1, 1]


@pytest.mark.parametrize('seed', range(5))
def test_a_profile_hides_the_far_side(seed: int) -> None:
    points = _alone(seed, 90)
    # Turned by 90 degrees, the person's right side is nearer.
    for joint in ('eye', 'ear', 'shoulder', 'hip'):
        assert points[f'left_{joint}'][2] == 1
    assert points['right_shoulder'][2] == points['right_knee'][2] == 2


@pytest.mark.parametrize('seed', range(5))
def test_what_something_covers_is_labelled_hidden(seed: int) -> None:
    bare, covered = _alone(seed, 0), _alone(seed, 0, hidden=True)
    for name, (_, y, v) in covered.items():
        assert v == (1 if y > 154 else bare[name][2] if y < 146 else v)
        assert (covered[name][:2] == bare[name][:2]).all()
    assert bare['left_knee'][2] == bare['right_ankle'][2] == 2


def test_the_set_covers_the_cases_a_network_must_meet() -> None:
    entries = [entry for seed in range(40) for entry in render_sample(seed)[1]]
    visibility = np.array([_keypoints(entry)[:, 2] for entry in entries])
    heights = np.array([entry['bbox'][3] for entry in entries])
    assert 0.6 < (visibility == 2).mean() < 0.95
    assert (visibility == 1).mean() > 0.05
    assert (visibility == 0).mean() > 0.005
    assert heights.min() < 90 and heights.max() > 180


def test_the_same_set_is_left_alone_and_another_is_refused(tmp_path: Path) -> None:
    assert make_sample_set(tmp_path, 1, 1, seed=1)
    image = tmp_path / 'train2017' / '000000000001.jpg'
    stamp, before = image.stat().st_mtime_ns, image.read_bytes()
    assert not make_sample_set(tmp_path, 1, 1, seed=1, overwrite=True)
    assert image.stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match='overwrite'):
        make_sample_set(tmp_path, 1, 1, seed=2)
    assert image.read_bytes() == before
    assert make_sample_set(tmp_path, 1, 1, seed=2, overwrite=True)
    assert image.read_bytes() != before


def test_a_set_whose_drawing_was_interrupted_is_drawn_anew(tmp_path: Path) -> None:
    images = iter(range(3))

    def stop() -> None:
        if next(images) == 2:  # after two images to train on and the first to evaluate on
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample_set(tmp_path / 'set', 2, 2, seed=1, on_progress=stop)
    foreign = tmp_path / 'set' / 'train2017' / 'holiday.jpg'
    foreign.touch()
    assert make_sample_set(tmp_path / 'set', 1, 2, seed=1)
    assert {path.name for path in foreign.parent.iterdir()} == {'000000000001.jpg', 'holiday.jpg'}
    assert make_sample_set(tmp_path / 'whole', 1, 2, seed=1)
    foreign.unlink()
    files = [path.relative_to(tmp_path / 'whole') for path in sorted((tmp_path / 'whole').rglob('*.*'))]
    assert files == [path.relative_to(tmp_path / 'set') for path in sorted((tmp_path / 'set').rglob('*.*'))]
    assert all((tmp_path / 'set' / name).read_bytes() == (tmp_path / 'whole' / name).read_bytes() for name in files)
    assert not make_sample_set(tmp_path / 'set', 1, 2, seed=1)


def test_a_smaller_set_leaves_no_image_of_the_larger(tmp_path: Path) -> None:
    make_sample_set(tmp_path, 3, 1)
    make_sample_set(tmp_path, 1, 1, overwrite=True)
    assert len(list((tmp_path / 'train2017').iterdir())) == 1


def test_annotations_of_others_are_never_replaced(tmp_path: Path) -> None:
    path = annotation_path(tmp_path, 'val2017')
    path.parent.mkdir()
    path.write_text('{"info": {"description": "COCO 2017 Dataset"}}')
    with pytest.raises(ValueError, match='choose another folder'):
        make_sample_set(tmp_path, 1, 1, overwrite=True)
    assert 'COCO 2017' in path.read_text()


@pytest.mark.parametrize('numbers', [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match='at least'):
        make_sample_set(tmp_path / 'set', *numbers)
    assert not (tmp_path / 'set').exists()


def test_tiny_images_are_refused() -> None:
    with pytest.raises(ValueError, match='at least 64'):
        render_sample(0, (32, 200))
