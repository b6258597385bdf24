"""COCO annotations as arrays, so that rules about 150,000 persons take milliseconds; and what a broken rule is.

Letters: N annotations, I images, K keypoints.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dyconv_pose.files import read_json

#: States of a value in an annotation.
PRESENT, ABSENT, MALFORMED = 0, 1, 2

#: Numbers beyond are no pixels: without it, their squares would not be finite.
_LIMIT = 1e30

_NUMBER = (int, float)
_KINDS = {int: 'an integer', str: 'text', list: 'a list', _NUMBER: 'a number'}
_PARTS = {
    'images': {'id': int, 'file_name': str, 'width': _NUMBER, 'height': _NUMBER},
    'annotations': {'id': int, 'image_id': int, 'category_id': int},
    'categories': {'id': int},
}


@dataclass(frozen=True)
class Finding:
    """One rule that one file breaks: how often, and at which places first (``unit`` says what a place is)."""

    rule: str
    message: str
    count: int = 1
    examples: tuple = ()
    unit: str = 'annotation'
    severity: str = 'error'  # or 'warning', in the report of check_dataset.py
    file: str = ''
    split: str = ''

    @property
    def sentence(self) -> str:
        """How often, what, and where first."""
        if not self.examples:
            return self.message
        places = ', '.join([*map(str, self.examples), *(['...'] if self.count > len(self.examples) else [])])
        return f'{self.count:,} {self.message} ({self.unit} {places})'


def findings_of(broken: Iterable[tuple]) -> list[Finding]:
    """The findings of rules: tuples of name, message, places (``None``: the whole file), and what a place is."""
    found = []
    for rule, message, places, *unit in broken:
        if places is None:
            found.append(Finding(rule, message))
        elif len(places):
            found.append(Finding(rule, message, len(places), tuple(np.array(places[:5]).tolist()), *unit))
    return found


class AnnotationTable:
    """The annotations of a file in which :func:`form_errors` finds nothing.

    ``ids`` (N,), ``category_ids`` (N,), ``image_rows`` (N,), -1 for an unlisted image, and ``sizes_wh`` (N, 2) of the
    image or NaN; ``image_ids`` (I,), ``image_sizes_wh`` (I, 2) in pixels; ``numbers`` by key, NaN where not present:
    bbox (N, 4) as x, y, width, height in pixels, keypoints (N, K, 3) as x, y, visibility, and area, num_keypoints,
    iscrowd (N,); their ``states`` (N,). ``labelled`` (N, K): the visibility is above zero. ``is_person`` (N,): who can
    be learnt from or scored, no crowd and with a labelled keypoint.
    """

    def __init__(self, content: dict, num_keypoints: int) -> None:
        images, annotations, self.categories = content['images'], content['annotations'], content.get('categories', [])
        self.file_names = [image['file_name'] for image in images]
        self.image_ids = np.array([image['id'] for image in images], np.int64)
        self.image_sizes_wh = np.array([(image['width'], image['height']) for image in images], float).reshape(-1, 2)
        self.ids, image_ids, self.category_ids = (
            np.array([one[key] for one in annotations], np.int64) for key in _PARTS['annotations']
        )
        self.image_rows = self.rows_of(image_ids.tolist())
        self.sizes_wh = self.sizes_of(self.image_rows)
        self.numbers, self.states = {}, {}
        widths = {'keypoints': 3 * num_keypoints, 'bbox': 4, 'area': None, 'num_keypoints': None, 'iscrowd': None}
        for key, width in widths.items():
            self.numbers[key], self.states[key] = number_rows([one.get(key) for one in annotations], width)
        self.numbers['keypoints'] = self.numbers['keypoints'].reshape(-1, num_keypoints, 3)
        self.labelled = self.numbers['keypoints'][..., 2] > 0
        self.is_person = self.labelled.any(axis=1) & ~(self.numbers['iscrowd'] > 0)

    def rows_of(self, image_ids: Iterable[int]) -> np.ndarray:
        """The rows of images, -1 for one that the file does not list."""
        row_of_image = {image_id: row for row, image_id in enumerate(self.image_ids.tolist())}
        return np.array([row_of_image.get(image_id, -1) for image_id in image_ids], np.int64)

    def sizes_of(self, rows: np.ndarray) -> np.ndarray:
        """The sizes (width, height) of images, NaN for the row -1."""
        return np.vstack([self.image_sizes_wh, np.full((1, 2), np.nan)])[rows]

    def has_persons(self) -> np.ndarray:
        """(I,) bool: the images that are read where persons come from the annotations."""
        return np.isin(np.arange(len(self.image_ids)), self.image_rows[self.is_person])

    def usable_persons(self) -> np.ndarray:
        """(N,) bool: persons with a box, a labelled keypoint and a listed image."""
        has_box = (self.numbers['bbox'][:, 2:] > 0).all(axis=1)
        return self.is_person & has_box & (self.image_rows >= 0) & ~(self.numbers['num_keypoints'] == 0)

    def points_beyond(self) -> np.ndarray:
        """(N, K, 2): pixels by which labelled keypoints lie outside their image, NaN for others."""
        points = np.where(self.labelled[..., None], self.numbers['keypoints'][..., :2], np.nan)
        return np.maximum(-points, points - self.sizes_wh[:, None])


def number_rows(values: list, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(N, width) float64 of N lists of finite numbers, or (N,) of N numbers, NaN for others; and (N,) int8 states."""
    rows, length = ([[value] for value in values], 1) if width is None else (values, width)
    is_whole = [
        isinstance(row, list) and len(row) == length and {int, float}.issuperset(map(type, row))
        and min(row) > -_LIMIT and max(row) < _LIMIT
        for row in rows
    ]  # fmt: skip
    whole = [row for row, is_one in zip(rows, is_whole, strict=True) if is_one]
    numbers = np.full((len(values), length), np.nan)
    numbers[is_whole] = np.fromiter(chain(*whole), float, length * len(whole)).reshape(-1, length)
    numbers[np.isnan(numbers).any(axis=1)] = np.nan
    states = np.where(np.isnan(numbers[:, 0]), MALFORMED, PRESENT).astype(np.int8)
    states[[value is None for value in values]] = ABSENT
    return (numbers[:, 0] if width is None else numbers), states


def read_annotations(path: str | Path, num_keypoints: int) -> tuple[AnnotationTable | None, list[Finding]]:
    """Reads a COCO annotation file: the table, or ``None`` and why the file has not COCO's form."""
    try:
        content = read_json(path, 'annotations')
    except ValueError as error:
        return None, [Finding('json', str(error).rstrip('.'))]
    findings = form_errors(content)
    return (None if findings else AnnotationTable(content, num_keypoints)), findings


def form_errors(content: object) -> list[Finding]:
    """What an annotation file lacks of COCO's form."""
    if not isinstance(content, dict):
        kind = type(content).__name__
        return [Finding('form', f'the file holds a {kind}, not a COCO dictionary with "images" and "annotations"')]
    content = {'categories': [], **content}  # training does without them
    if missing := [part for part in _PARTS if content.get(part) is None]:
        return [Finding('form', f'the file has no list "{missing[0]}", as COCO\'s format has')]
    parts = (entry_errors(content.get(part), f'entries of "{part}"', kinds) for part, kinds in _PARTS.items())
    return findings_of(chain(*parts))


def entry_errors(entries: object, name: str, kinds: dict) -> Iterator[tuple]:
    """Rules that entries are a list of dictionaries with certain kinds of values."""
    if not isinstance(entries, list):
        yield 'form', f'the {name} must be a list of dictionaries, the file holds a {type(entries).__name__}', None
        return
    is_wrong = [not isinstance(entry, dict) for entry in entries]
    yield 'form', f'{name} are no dictionaries', np.flatnonzero(is_wrong), 'position'
    for key, kind in kinds.items() if not any(is_wrong) else ():
        values = [entry.get(key) for entry in entries]
        absent = np.flatnonzero([value is None for value in values])
        has = ', '.join(entries[absent[0]]) or 'nothing' if len(absent) else ''
        yield 'form', f'{name} lack "{key}" ({_KINDS[kind]}), the first has {has:.80}', absent, 'position'
        is_wrong = [not isinstance(value, kind) or (type(value) is int and abs(value) >= 2**63) for value in values]
        wrong = np.setdiff1d(np.flatnonzero(is_wrong), absent)
        value = repr(values[wrong[0]]) if len(wrong) else ''
        yield 'form', f'{name} have a "{key}" that is not {_KINDS[kind]} but {value:.40}', wrong, 'position'
