"""Writes a sample set in COCO's layout, or finds that it is already there."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .person.body import KEYPOINT_NAMES
from .scene import render_sample

VERSION = 1
"""Raise it whenever the images or annotations of a given seed change."""

SPLITS = ('train2017', 'val2017')

#: In the set's folder while images are drawn: the parameters of the set that is not whole yet.
_UNFINISHED = 'unfinished.json'

MAX_PEOPLE = 10

# COCO's own: pairs of keypoint numbers, counted from 1.
SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
    (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def sample_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Returns the random generator of one image, the same whatever the set's size.

    Args:
        seed: Of the whole set.
        split: 'train2017' or 'val2017'.
        index: Of the image in its split, from 0.
    """
    return np.random.default_rng(np.random.SeedSequence((seed, SPLITS.index(split), index)))


def annotation_path(out_dir: str | Path, split: str) -> Path:
    """Returns where a split's annotations lie."""
    return Path(out_dir) / 'annotations' / f'person_keypoints_{split}.json'


def make_sample_set(
    out_dir: str | Path,
    num_train: int,
    num_val: int,
    seed: int = 0,
    *,
    image_size_wh: tuple[int, int] | None = None,
    overwrite: bool = False,
    on_progress: Callable[[], None] | None = None,
) -> bool:
    """Writes a sample set: `annotations/`, `train2017/` and `val2017/` under `out_dir`.

    A set of the same parameters and version that is already there is left as it is; one that was interrupted is drawn
    anew.

    Args:
        out_dir: Folder of the set, made if it does not exist.
        num_train: Number of images to train on, at least 1.
        num_val: Number of images to evaluate on, at least 1.
        seed: Not negative; another seed gives other people.
        image_size_wh: Width and height of every image, pixels; None varies them.
        overwrite: Whether a different set in `out_dir` may be replaced.
        on_progress: Called after every image.

    Returns:
        True if the set was written, False if it was already there.

    Raises:
        ValueError: If a number is out of range, or `out_dir` holds something else.
    """
    if num_train < 1 or num_val < 1 or seed < 0:
        raise ValueError(
            'num_train and num_val must be at least 1 and seed at least 0, but they are '
            f'{num_train}, {num_val} and {seed}; choose larger ones'
        )
    parameters = {
        'version': VERSION,
        'num_train': int(num_train),
        'num_val': int(num_val),
        'seed': int(seed),
        'image_size_wh': None if image_size_wh is None else [int(v) for v in image_size_wh],
    }
    out_dir = Path(out_dir)
    unfinished = out_dir / _UNFINISHED
    if not unfinished.exists() and all(_stored_parameters(out_dir, split) == parameters for split in SPLITS):
        return False
    _make_room(out_dir, overwrite)
    out_dir.mkdir(parents=True, exist_ok=True)
    draft = unfinished.with_suffix('.tmp')
    draft.write_text(json.dumps(parameters), encoding='utf-8')
    draft.replace(unfinished)  # whole or not there
    for split, count in zip(SPLITS, (num_train, num_val), strict=True):
        _write_split(out_dir, split, count, parameters, on_progress)
    unfinished.unlink()
    return True


def _stored_parameters(out_dir: str | Path, split: str) -> dict | None:
    """Reads what a split was made from; None if there is none that this program made."""
    path = annotation_path(out_dir, split)
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))['info'].get('sample_set')
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
        return None


def _make_room(out_dir: Path, overwrite: bool) -> None:
    """Removes an older set, if that is allowed, or an unfinished one.

    Raises:
        ValueError: If `out_dir` holds images or annotations that must not be replaced.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise ValueError(f'out_dir must be a folder, but {out_dir} is a file; choose another')
    unfinished = out_dir / _UNFINISHED
    for split in SPLITS:
        path = annotation_path(out_dir, split)
        if path.exists() and _stored_parameters(out_dir, split) is None:
            raise ValueError(
                f'out_dir must hold nothing but a sample set, but {path} was made by something '
                'else; choose another folder'
            )
        occupied = path.exists() or any((out_dir / split).glob('*'))
        if occupied and not overwrite and not unfinished.exists():
            raise ValueError(
                f'out_dir must be empty or hold this very sample set, but {out_dir} holds '
                'something else; choose another folder or pass overwrite (--overwrite)'
            )
    if unfinished.exists():
        _remove_unfinished(out_dir, json.loads(unfinished.read_text(encoding='utf-8')))
    for split in SPLITS:
        path = annotation_path(out_dir, split)
        if path.exists():
            for image in json.loads(path.read_text(encoding='utf-8'))['images']:
                (out_dir / split / image['file_name']).unlink(missing_ok=True)
            path.unlink()


def _remove_unfinished(out_dir: Path, parameters: dict) -> None:
    """Removes the images that an interrupted call wrote, and no others."""
    for split, key in zip(SPLITS, ('num_train', 'num_val'), strict=True):
        for index in range(parameters[key]):
            _image_path(out_dir, split, index).unlink(missing_ok=True)


def _image_path(out_dir: Path, split: str, index: int) -> Path:
    return out_dir / split / f'{index + 1:012d}.jpg'


def _write_split(
    out_dir: Path,
    split: str,
    count: int,
    parameters: dict,
    on_progress: Callable[[], None] | None,
) -> None:
    """Writes a split's images, and last, as the sign that all is there, its annotations."""
    (out_dir / split).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index in range(count):
        rng = sample_rng(parameters['seed'], split, index)
        image, people = render_sample(rng, parameters['image_size_wh'])
        path = _image_path(out_dir, split, index)
        quality = int(rng.integers(70, 97))
        encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        path.write_bytes(encoded.tobytes())
        height, width = image.shape[:2]
        images.append({'id': index + 1, 'file_name': path.name, 'width': width, 'height': height, 'license': 1})
        for number, person in enumerate(people):
            # Ids leave gaps so that they do not depend on the images before.
            identity = {'id': MAX_PEOPLE * (index + 1) + number, 'image_id': index + 1}
            annotations.append({**identity, **person})
        if on_progress is not None:
            on_progress()
    _write_annotations(annotation_path(out_dir, split), parameters, images, annotations)


def _write_annotations(path: Path, parameters: dict, images: list[dict], annotations: list[dict]) -> None:
    content = {
        'info': {
            'description': 'Synthetic people for dyconv_pose: a synthetic sample set',
            'version': str(VERSION),
            'sample_set': parameters,
        },
        'licenses': [{'id': 1, 'name': 'Apache-2.0', 'url': 'https://www.apache.org/licenses/LICENSE-2.0'}],
        'images': images,
        'annotations': annotations,
        'categories': [
            {
                'id': 1,
                'name': 'person',
                'supercategory': 'person',
                'keypoints': list(KEYPOINT_NAMES),
                'skeleton': [list(pair) for pair in SKELETON],
            }
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix('.tmp')
    draft.write_text(json.dumps(content), encoding='utf-8')
    draft.replace(path)
