"""COCO keypoint annotations as arrays, so that rules about 150,000 persons take milliseconds.

Letters: N annotations, I images, K keypoints.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from .findings import Finding, file_error, finding

#: States of a value in an annotation.
PRESENT, ABSENT, MALFORMED = 0, 1, 2

_IMAGE_KEYS = {'id': int, 'file_name': str, 'width': (int, float), 'height': (int, float)}
_ANNOTATION_KEYS = {'id': int, 'image_id': int, 'category_id': int}


@dataclass(frozen=True)
class AnnotationTable:
    """The annotations of one file; numbers are NaN where a value is absent or malformed.

    Attributes:
        categories: The file's list of categories.
        file_names: I names.
        image_ids: (I,) int64.
        image_sizes_wh: (I, 2) float64, pixels.
        ids: (N,) int64.
        image_rows: (N,) int64, which image each annotation is of, -1 where it is none of the file's.
        category_ids: (N,) int64.
        boxes_xywh: (N, 4) float64, pixels; ``box_states`` (N,) says what is present.
        keypoints: (N, K, 3) float64: x, y, visibility; ``keypoint_states`` (N,); a list of another length is malformed.
        areas: (N,) float64; ``area_states`` (N,).
        num_labelled: (N,) float64, the annotated number of labelled keypoints; ``num_labelled_states`` (N,).
        is_crowd: (N,) float64; ``is_crowd_states`` (N,).
    """

    categories: list
    file_names: list[str]
    image_ids: np.ndarray
    image_sizes_wh: np.ndarray
    ids: np.ndarray
    image_rows: np.ndarray
    category_ids: np.ndarray
    boxes_xywh: np.ndarray
    box_states: np.ndarray
    keypoints: np.ndarray
    keypoint_states: np.ndarray
    areas: np.ndarray
    area_states: np.ndarray
    num_labelled: np.ndarray
    num_labelled_states: np.ndarray
    is_crowd: np.ndarray
    is_crowd_states: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """(N, K) bool: which keypoints have a visibility above zero."""
        return self.keypoints[..., 2] > 0

    @property
    def is_person(self) -> np.ndarray:
        """(N,) bool: whether the annotation is a person to learn from or to score: no crowd, some labelled point."""
        return self.labelled.any(axis=1) & ~(self.is_crowd > 0)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Holds the garbage collector, which doubles the time of building millions of lists."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_json(path: Path) -> tuple[object, list[Finding]]:
    """The content of a JSON file, or why there is none."""
    try:
        with path.open(encoding='utf-8') as file, _no_collection():
            return json.load(file), []
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, file_error('json', f'the file is no valid JSON: {error}')
    except OSError as error:
        return None, file_error('json', f'the file cannot be read: {error.strerror}')


def read_annotations(path: Path, num_keypoints: int) -> tuple[AnnotationTable | None, list[Finding]]:
    """Reads a COCO annotation file.

    Args:
        path: The file.
        num_keypoints: K, of the data set's metadata.

    Returns:
        The table, or ``None`` where the file has not the form of COCO's, and what is wrong with the form.
    """
    with _no_collection():
        content, findings = read_json(path)
        findings = findings or _form_findings(content)
        return (None if findings else _table(content, num_keypoints)), findings


def _form_findings(content: object) -> list[Finding]:
    if not isinstance(content, dict):
        kind = type(content).__name__
        return file_error('form', f'the file holds a {kind}, not a COCO dictionary with "images" and "annotations"')
    for part in ('images', 'annotations', 'categories'):
        if not isinstance(content.get(part), list):
            return file_error('form', f'the file has no list "{part}", as COCO\'s format has')
    findings = []
    for part, keys in (('images', _IMAGE_KEYS), ('annotations', _ANNOTATION_KEYS)):
        entries = content[part]
        wrong = [row for row, entry in enumerate(entries) if not isinstance(entry, dict)]
        findings += finding('form', 'error', f'entries of "{part}" are no dictionaries', wrong, 'position')
        for key, kind in keys.items():
            wrong = [
                row
                for row, entry in enumerate(entries)
                if isinstance(entry, dict) and (not isinstance(entry.get(key), kind) or _too_big(entry[key]))
            ]
            expected = 'text' if kind is str else 'an integer' if kind is int else 'a number'
            findings += finding('form', 'error', f'entries of "{part}" lack "{key}" as {expected}', wrong, 'position')
    return findings


def _too_big(value: object) -> bool:
    return isinstance(value, int) and abs(value) >= 2**63


def _table(content: dict, num_keypoints: int) -> AnnotationTable:
    images, annotations = content['images'], content['annotations']
    image_ids = np.array([image['id'] for image in images], dtype=np.int64)
    row_of_image = {image['id']: row for row, image in enumerate(images)}

    def column(key: str, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        return number_rows([annotation.get(key) for annotation in annotations], width)

    boxes, box_states = column('bbox', 4)
    keypoints, keypoint_states = column('keypoints', 3 * num_keypoints)
    areas, area_states = column('area')
    num_labelled, num_labelled_states = column('num_keypoints')
    is_crowd, is_crowd_states = column('iscrowd')
    return AnnotationTable(
        categories=content['categories'],
        file_names=[image['file_name'] for image in images],
        image_ids=image_ids,
        image_sizes_wh=np.array([(image['width'], image['height']) for image in images], float).reshape(-1, 2),
        ids=np.array([annotation['id'] for annotation in annotations], dtype=np.int64),
        image_rows=np.array([row_of_image.get(annotation['image_id'], -1) for annotation in annotations], np.int64),
        category_ids=np.array([annotation['category_id'] for annotation in annotations], dtype=np.int64),
        boxes_xywh=boxes,
        box_states=box_states,
        keypoints=keypoints.reshape(-1, num_keypoints, 3),
        keypoint_states=keypoint_states,
        areas=areas,
        area_states=area_states,
        num_labelled=num_labelled,
        num_labelled_states=num_labelled_states,
        is_crowd=is_crowd,
        is_crowd_states=is_crowd_states,
    )


def number_rows(values: list, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Turns lists of numbers, some perhaps absent or malformed, into an array.

    Args:
        values: N lists of ``width`` numbers each, or N numbers where ``width`` is ``None``; ``None`` where absent.
        width: How many numbers each is to have.

    Returns:
        (N, width) or (N,) float64 with NaN in the rows that are not present, and (N,) int8 states.
    """
    rows = [[value] for value in values] if width is None else values
    length = 1 if width is None else width
    states = np.fromiter(
        (ABSENT if value is None else PRESENT if _has_length(row, length) else MALFORMED
         for value, row in zip(values, rows, strict=True)),
        np.int8, len(values),
    )  # fmt: skip
    numbers = np.full((len(values), length), np.nan)
    present = np.flatnonzero(states == PRESENT)
    whole = [rows[row] for row in present]
    if set(map(type, chain.from_iterable(whole))) <= {int, float}:
        wrong = []
    else:
        wrong = [place for place, row in enumerate(whole) if not {int, float}.issuperset(map(type, row))]
    if wrong:
        states[present[wrong]] = MALFORMED
        present = np.flatnonzero(states == PRESENT)
        whole = [rows[row] for row in present]
    try:
        numbers[present] = np.fromiter(chain.from_iterable(whole), float, length * len(whole)).reshape(-1, length)
    except OverflowError:  # an integer beyond every float
        numbers[present] = [[float(min(max(number, -1e300), 1e300)) for number in row] for row in whole]
    return (numbers[:, 0] if width is None else numbers), states


def _has_length(row: object, length: int) -> bool:
    return isinstance(row, list) and len(row) == length
