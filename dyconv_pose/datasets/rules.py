"""The rules of COCO annotations, detections and results: whatever breaks one stops training, testing or scoring.

An error is what MMPose or the COCO evaluation would fail on or silently get wrong. What they tolerate, as the real COCO
has it, is a warning of ``tools/dataset_converters/check_dataset.py``. A rule yields its name, what is wrong, and where
(:func:`~.annotations.findings_of`). Letters: N annotations or detections, I images, K keypoints.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from dyconv_pose.files import read_json

from .annotations import ABSENT, MALFORMED, PRESENT, AnnotationTable, Finding, entry_errors, findings_of, number_rows

#: The category that MMPose takes for persons in detections.
PERSON_CATEGORY = 1

#: Boxes and points outside by more than this share of the image, where most are, are of another format or size.
FAR_SHARE = 0.1

_DETECTION = {'image_id': int, 'category_id': int, 'bbox': list, 'score': (int, float)}
_RESULT = {'image_id': int, 'category_id': int, 'keypoints': list, 'score': (int, float)}


def check_annotations(table: AnnotationTable, keypoint_names: Sequence[str], is_scored: bool) -> list[Finding]:
    """The errors of an annotation file, by the K names of the metadata; AP (``is_scored``) needs more than training."""
    rules = _value_errors(table, is_scored), _place_errors(table), _category_errors(table, keypoint_names)
    return findings_of(chain(*rules, _person_errors(table, is_scored)))


def truth_errors(table: AnnotationTable) -> list[Finding]:
    """What the evaluator would fail on in annotations that results are scored against."""
    missing = [('missing-bbox', 'annotations have no "bbox"', table.ids_where('bbox', ABSENT))]
    return findings_of(chain(_value_errors(table, is_scored=False), missing, _skeleton_errors(table.categories)))


def _value_errors(table: AnnotationTable, is_scored: bool) -> Iterator[tuple]:
    num = table.labelled.shape[1]
    forms = dict(
        keypoints=f'the {num} keypoints of the metadata, {3 * num} numbers x, y, v', bbox='x, y, width, height'
    )
    for key, state in table.states.items():
        absent = table.ids_where(key, ABSENT)
        if key in forms and 0 < len(absent) == len(table.ids):
            yield f'no-{key}', f'no annotation has "{key}": is it a file of persons with {num} keypoints each?', None
        elif key not in forms and is_scored:
            yield f'missing-{key}', f'annotations have no "{key}", which COCO AP needs', absent
        form = forms.get(key, 'one number')
        yield f'{key}-form', f'annotations have "{key}" in another form than {form}', table.ids_where(key, MALFORMED)
        numbers = table.numbers[key]
        is_finite = np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim)))
        yield 'not-finite', f'annotations have "{key}" that is not finite', table.ids[(state == PRESENT) & ~is_finite]
    for name, ids in (('annotation', table.ids), ('image', table.image_ids)):
        values, counts = np.unique(ids, return_counts=True)
        yield 'duplicate-id', f'{name} ids occur more than once', values[counts > 1], 'id'
    message = 'annotations are of images that the file does not list'
    yield 'unknown-image', message, table.ids[table.image_rows < 0]


def _place_errors(table: AnnotationTable) -> Iterator[tuple]:
    is_sized = (np.isfinite(table.image_sizes_wh) & (table.image_sizes_wh > 0)).all(axis=1)
    yield 'image-size', 'images have no positive, finite width and height', table.image_ids[~is_sized], 'image'
    is_negative = (table.numbers['keypoints'][..., 2] < 0).any(axis=1)
    yield 'visibility', 'annotations have a negative visibility', table.ids[is_negative]
    far = (points_beyond(table) > FAR_SHARE * table.sizes_wh[:, None]).any(axis=2)
    if far.sum() > 0.5 * table.labelled.sum():
        message = 'annotations have keypoints outside the image, and most points are: are they pixels of these images?'
        yield 'keypoints-outside', message, table.ids[far.any(axis=1)]
    boxes = table.numbers['bbox']
    negative, away, far, _ = box_faults(boxes, table.sizes_wh)
    yield 'box-size', 'boxes have a negative width or height', table.ids[negative]
    yield 'box-outside', 'boxes lie outside their image', table.ids[away]
    finite = boxes[np.isfinite(boxes).all(axis=1)]
    if far.sum() > 0.5 * max(len(finite), 1):
        message = 'boxes reach far outside their image, most of all: are they x, y, width, height in pixels?'
        yield 'box-outside', message, table.ids[far]
    elif len(finite) and finite.max() <= 1:
        yield 'box-unit', 'every box is smaller than one pixel: boxes are in pixels, not shares', None


def points_beyond(table: AnnotationTable) -> np.ndarray:
    """(N, K, 2): pixels by which labelled keypoints lie outside their image, NaN for others."""
    points = np.where(table.labelled[..., None], table.numbers['keypoints'][..., :2], np.nan)
    return np.maximum(-points, points - table.sizes_wh[:, None])


def box_faults(boxes_xywh: np.ndarray, sizes_wh: np.ndarray) -> tuple[np.ndarray, ...]:
    """Which boxes (N, 4) have a fault, by the sizes (N, 2) of their images, NaN where unknown.

    Returns:
        (N,) bool: of a negative extent, wholly outside, outside by more than a tenth of the image; and (N, 2) pixels by
        which boxes of a positive extent reach outside, NaN for others.
    """
    start, end = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    is_sized = (boxes_xywh[:, 2:] > 0).all(axis=1)
    beyond = np.where(is_sized[:, None], np.maximum(-start, end - sizes_wh), np.nan)
    away = is_sized & ((end <= 0) | (start >= sizes_wh)).any(axis=1)
    return (boxes_xywh[:, 2:] < 0).any(axis=1), away, (beyond > FAR_SHARE * sizes_wh).any(axis=1), beyond


def _category_errors(table: AnnotationTable, keypoint_names: Sequence[str]) -> Iterator[tuple]:
    known = [entry for entry in table.categories if isinstance(entry, dict) and isinstance(entry.get('id'), int)]
    lost = table.ids[~np.isin(table.category_ids, [entry['id'] for entry in known])]
    yield 'category', 'annotations are of a category that the file does not list', lost
    expected = [name.lower() for name in keypoint_names]
    for entry in known:
        given = names_of(entry) if entry['id'] in table.category_ids else []
        if given and len(given) != len(expected):
            message = f"the file's category has {len(given)} keypoints, the config's metadata {len(expected)}"
            yield 'keypoint-names', message, None
        elif given != expected and sorted(given) == sorted(expected):
            place = next(k for k in range(len(given)) if given[k] != expected[k])
            message = f'the file\'s category calls keypoint {place} "{given[place]}", the config\'s metadata '
            yield 'keypoint-names', f'{message}"{expected[place]}": they are in another order', None


def names_of(category: dict) -> list[str]:
    """The names of a category's keypoints, written as MMPose writes them."""
    names = category.get('keypoints')
    return [str(name).lower().replace(' ', '_').replace('-', '_') for name in names] if isinstance(names, list) else []


def _skeleton_errors(categories: list) -> Iterator[tuple]:
    for category in categories:
        if not isinstance(category, dict) or not isinstance(category.get('id'), int):
            yield 'category', 'a category is no dictionary with an integer "id"', None
            continue
        links = category.get('skeleton') or []
        if not isinstance(links, list) or any(not isinstance(k, list) or [*map(type, k)] != [int, int] for k in links):
            yield 'skeleton', 'a skeleton is not made of pairs of keypoint numbers', None


def usable_persons(table: AnnotationTable) -> np.ndarray:
    """(N,) bool: persons with a box, a labelled keypoint and a listed image."""
    has_box = (table.numbers['bbox'][:, 2:] > 0).all(axis=1)
    return table.is_person & has_box & (table.image_rows >= 0) & ~(table.numbers['num_keypoints'] == 0)


def _person_errors(table: AnnotationTable, is_scored: bool) -> Iterator[tuple]:
    if not usable_persons(table).any():
        result = 'AP would be -1' if is_scored else 'nothing can be learnt'
        yield 'no-persons', f'no person has a box and a labelled keypoint, so {result}', None


def missing_images(table: AnnotationTable, folder: Path, is_needed: np.ndarray) -> list[Finding]:
    """The images that are needed, (I,) bool, and not in the folder, which is listed once: look-ups are slow."""
    listed = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    needed = [name for name, is_one in zip(table.file_names, is_needed.tolist(), strict=True) if is_one]
    missing = [name for name in needed if name not in listed and not ('/' in name and (folder / name).is_file())]
    return findings_of([('missing-image', f'image files are missing in "{folder}"', missing, 'file')])


def check_detections(path: str | Path, table: AnnotationTable | None) -> list[Finding]:
    """The errors of a file of detected boxes, against the annotations of the same images (``None``: the file alone).

    The file is a list of dictionaries with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and ``score``.
    """
    try:
        return detection_errors(read_json(path, 'detections'), table)
    except ValueError as error:
        return [Finding('json', str(error).rstrip('.'))]


def detection_errors(content: object, table: AnnotationTable | None = None) -> list[Finding]:
    """As :func:`check_detections`, of what the file holds."""
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        kind = type(content).__name__
        return [Finding('form', f'the detector boxes must be a list of dictionaries, the file holds a {kind}')]
    if form := findings_of(entry_errors(content, 'detections', _DETECTION)):
        return form
    places = np.array([k for k, entry in enumerate(content) if entry['category_id'] == PERSON_CATEGORY], int)
    if not len(places):
        return [Finding('no-persons', f'no detection is of category {PERSON_CATEGORY}, a person')]
    return findings_of(_detection_errors([content[place] for place in places], places, table))


def _detection_errors(entries: list[dict], places: np.ndarray, table: AnnotationTable | None) -> Iterator[tuple]:
    boxes, states = number_rows([entry['bbox'][:4] for entry in entries], 4)
    yield 'box-form', 'detections have no four numbers as box', places[states != PRESENT], 'position'
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(number_rows([entry['score'] for entry in entries])[0])
    message = 'detections have a box or score that is not finite'
    yield 'not-finite', message, places[(states == PRESENT) & ~finite], 'position'
    rows, sizes = np.zeros(len(entries), int), np.full((len(entries), 2), np.inf)
    if table is not None:
        rows = table.rows_of(entry['image_id'] for entry in entries)
        sizes = table.sizes_of(rows)
    message = 'detections are in images that the annotations do not list'
    yield 'unknown-image', message, places[rows < 0], 'position'
    negative, away, far, _ = box_faults(boxes, sizes)
    yield 'box-size', 'detections have a negative width or height', places[negative], 'position'
    if far.sum() > 0.5 * max(finite.sum(), 1):
        message = 'detections lie far outside their image: are the boxes x, y, width, height in pixels?'
        yield 'box-outside', message, places[away | far], 'position'


def result_errors(rows: object, image_ids: set[int], num_keypoints: int) -> list[Finding]:
    """The errors of COCO keypoint results, a list of ``image_id``, ``category_id``, ``keypoints`` and ``score``."""
    if not isinstance(rows, list):
        return [Finding('form', f'the results must be a list of persons, the file holds a {type(rows).__name__}')]
    form = findings_of(entry_errors(rows, 'results', _RESULT))
    return form or findings_of(_result_errors(rows, image_ids, num_keypoints))


def _result_errors(rows: list[dict], image_ids: set[int], num_keypoints: int) -> Iterator[tuple]:
    message = 'results are of other images: were they made with these annotations (infer.py --boxes or --ann-file)?'
    yield 'unknown-image', message, sorted({row['image_id'] for row in rows} - image_ids), 'image'
    has_boxes = any('bbox' in row for row in rows)
    for key, length in (('keypoints', 3 * num_keypoints), ('score', 1), *((('bbox', 4),) if has_boxes else ())):
        values = [[row['score']] if key == 'score' else row.get(key) for row in rows]
        numbers, states = number_rows(values, length)
        is_wrong = (states != PRESENT) | ~(np.abs(numbers) < 1e30).all(axis=1)
        yield f'{key}-form', f'results do not have {length} numbers as "{key}"', np.flatnonzero(is_wrong), 'position'
