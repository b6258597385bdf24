"""The rules of COCO detections, which inference and testing read, and of COCO results, which are scored."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dyconv_pose.files import read_json

from .annotations import PRESENT, AnnotationTable, Finding, entry_errors, findings_of, number_rows
from .rules import BOX_FORM, PERSON_CATEGORY, are_corners, box_errors

_DETECTION = {'image_id': int, 'category_id': int, 'bbox': list, 'score': (int, float)}
_RESULT = {'image_id': int, 'category_id': int, 'keypoints': list, 'score': (int, float)}


def person_category(content: dict) -> int:
    """The persons' category in COCO annotations: the only one with keypoints, or that called "person", or 1."""
    known, annotations = content.get('categories') or [], content.get('annotations') or []
    used = {one.get('category_id', PERSON_CATEGORY) for one in annotations if 'keypoints' in one}
    used = used or {one.get('category_id', PERSON_CATEGORY) for one in annotations}
    named = {entry['id'] for entry in known if entry.get('keypoints')} or {entry['id'] for entry in known}
    found = (used & named) or used or named or {PERSON_CATEGORY}
    people = [entry['id'] for entry in known if entry['id'] in found and str(entry.get('name')).lower() == 'person']
    if len(found) > 1 and len(people) != 1 and PERSON_CATEGORY not in found:
        raise ValueError(f'one of its categories must be that of persons, and it has {sorted(found)}, none a "person"')
    return found.pop() if len(found) == 1 else people[0] if len(people) == 1 else PERSON_CATEGORY


def check_detections(path: str | Path, table: AnnotationTable) -> list[Finding]:
    """The errors of a file of detected boxes that MMPose reads, against the annotations of the same images."""
    sizes = dict(zip(table.image_ids.tolist(), table.image_sizes_wh.tolist(), strict=True))
    try:
        content = read_json(path, 'detections')
    except ValueError as error:
        return [Finding('json', str(error).rstrip('.'))]
    errors = detection_errors(content, sizes)
    used = sorted(set(table.category_ids[table.is_person].tolist()))
    if used not in ([], [PERSON_CATEGORY]):
        message = f'MMPose takes detections for category {PERSON_CATEGORY}, and the annotated persons are of {used}, '
        errors.append(Finding('category', f'{message}which never match: renumber them, or evaluate with --gt-boxes'))
    if not any(found.rule == 'form' for found in errors):
        persons = [(place, entry) for place, entry in enumerate(content) if entry['category_id'] == PERSON_CATEGORY]
        places = [place for place, entry in persons if entry['image_id'] not in sizes]
        message = 'detections are in images that the annotations do not list'
        errors += findings_of([('unknown-image', message, places, 'position')])
    return errors


def detection_errors(
    content: object, sizes_wh: Mapping[int, Sequence[float]], category_id: int = PERSON_CATEGORY
) -> list[Finding]:
    """The errors of detected boxes, by the persons' category and, as far as they are known, the images' sizes by id."""
    if form := _form_errors(content, 'detections', _DETECTION):
        return form
    places = np.array([k for k, entry in enumerate(content) if entry['category_id'] == category_id], int)
    if not len(places):
        given = sorted({entry['category_id'] for entry in content})
        has = f'the file has {given[:9]}: renumber them' if given else 'the file is empty'
        return [Finding('no-persons', f'no detection is of category {category_id}, the persons, {has}')]
    return findings_of(_detection_errors([content[place] for place in places], places, sizes_wh))


def _detection_errors(entries: list[dict], places: np.ndarray, sizes_wh: Mapping) -> Iterator[tuple]:
    boxes, states = number_rows([entry['bbox'][:4] for entry in entries], 4)
    yield 'box-form', 'detections have no four numbers as box', places[states != PRESENT], 'position'
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(number_rows([entry['score'] for entry in entries])[0])
    message = 'detections have a box or score that is not finite'
    yield 'not-finite', message, places[(states == PRESENT) & ~finite], 'position'
    sizes = np.array([sizes_wh.get(entry['image_id'], (np.nan, np.nan)) for entry in entries], float)
    if all(len(entry['bbox']) > 4 for entry in entries) and are_corners(boxes, sizes):
        message = f'detections have five numbers as box, as of corners and a score: {BOX_FORM}'
        yield 'box-form', message, places, 'position'
    yield from box_errors(boxes, sizes, 'detections', places, 'position')


def result_errors(rows: object, table: AnnotationTable) -> list[Finding]:
    """The errors of COCO keypoint results: ``image_id``, ``category_id``, ``keypoints`` and ``score`` of each."""
    return _form_errors(rows, 'results', _RESULT) or findings_of(_result_errors(rows, table))


def _form_errors(content: object, name: str, kinds: dict) -> list[Finding]:
    if not isinstance(content, list):
        kind = type(content).__name__
        return [Finding('form', f'the {name} must be a list of dictionaries, the file holds a {kind}')]
    return findings_of(entry_errors(content, name, kinds))


def _result_errors(rows: list[dict], table: AnnotationTable) -> Iterator[tuple]:
    message = 'results are of other images: were they made with these annotations (infer.py --boxes or --ann-file)?'
    unknown = sorted({row['image_id'] for row in rows} - set(table.image_ids.tolist()))
    yield 'unknown-image', message, unknown, 'image'
    used = set(table.category_ids[table.is_person].tolist())
    given = {row['category_id'] for row in rows}
    listed = used | {entry['id'] for entry in table.categories} if used & given else used
    if used and given - listed:
        message = f'results are of category {sorted(given - listed)[:9]}, and the annotated persons of {sorted(used)}'
        places = [place for place, row in enumerate(rows) if row['category_id'] not in listed]
        yield 'category', f'{message}, so that they would not count: renumber the results', places, 'position'
    lengths = {'keypoints': 3 * table.labelled.shape[1], 'score': 1}
    for key, length in (lengths | ({'bbox': 4} if any('bbox' in row for row in rows) else {})).items():
        values = [[row['score']] if key == 'score' else row.get(key) for row in rows]
        numbers, states = number_rows(values, length)
        is_wrong = (states != PRESENT) | ~(np.abs(numbers) < 1e30).all(axis=1)
        yield f'{key}-form', f'results do not have {length} numbers as "{key}"', np.flatnonzero(is_wrong), 'position'
