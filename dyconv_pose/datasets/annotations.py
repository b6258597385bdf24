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

_NUMBER = (int, float)
_KINDS = {int: 'an integer', str: 'text', list: 'a list', _NUMBER: 'a number'}
_IMAGE = {'id': int, 'file_name': str, 'width': _NUMBER, 'height': _NUMBER}
_ANNOTATION = {'id': int, 'image_id': int, 'category_id': int}
_PARTS = {'images': _IMAGE, 'annotations': _ANNOTATION, 'categories': {'id': int}}


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
            examples = tuple(place.item() if hasattr(place, 'item') else place for place in places[:5])
            found.append(Finding(rule, message, len(places), examples, *unit))
    return found


class AnnotationTable:
    """The annotations of a file in which :func:`form_errors` finds nothing.

    Attributes:
        ids: (N,) int64; also ``category_ids``, and ``image_rows``, -1 where the file does not list the image.
        image_ids: (I,) int64; also ``file_names``, and ``image_sizes_wh`` (I, 2) in pixels.
        sizes_wh: (N, 2), the size of each annotation's image, NaN where unknown.
        numbers: By key, float64, NaN where not present: bbox (N, 4) as x, y, width, height in pixels; keypoints
            (N, K, 3) as x, y, visibility; area, num_keypoints and iscrowd (N,). ``states`` has (N,) by the same keys.
        labelled: (N, K) bool, which keypoints have a visibility above zero.
        is_person: (N,) bool, who can be learnt from or scored: no crowd, some labelled keypoint.
    """

    def __init__(self, content: dict, num_keypoints: int) -> None:
        images, annotations, self.categories = content['images'], content['annotations'], content.get('categories', [])
        self.file_names = [image['file_name'] for image in images]
        self.image_ids = np.array([image['id'] for image in images], np.int64)
        self.image_sizes_wh = np.array([(image['width'], image['height']) for image in images], float).reshape(-1, 2)
        self.ids, image_ids, self.category_ids = (
            np.array([annotation[key] for annotation in annotations], np.int64) for key in _ANNOTATION
        )
        self.image_rows = self.rows_of(image_ids.tolist())
        self.sizes_wh = self.sizes_of(self.image_rows)
        self.numbers, self.states = {}, {}
        widths = {'keypoints': 3 * num_keypoints, 'bbox': 4, 'area': None, 'num_keypoints': None, 'iscrowd': None}
        for key, width in widths.items():
            values = [annotation.get(key) for annotation in annotations]
            self.numbers[key], self.states[key] = number_rows(values, width)
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


def number_rows(values: list, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(N, width) float64 of N lists, or (N,) of N numbers, NaN where ``None`` or malformed; and (N,) int8 states."""
    rows, length, number = [[v] for v in values] if width is None else values, width or 1, {int, float}
    states = np.array([ABSENT if value is None else MALFORMED for value in values], np.int8)
    is_whole = [isinstance(row, list) and len(row) == length and number.issuperset(map(type, row)) for row in rows]
    states[is_whole] = PRESENT
    whole = [row for row, is_present in zip(rows, is_whole, strict=True) if is_present]
    numbers = np.full((len(values), length), np.nan)
    try:
        numbers[states == PRESENT] = np.fromiter(chain(*whole), float, length * len(whole)).reshape(-1, length)
    except OverflowError:  # an integer beyond every float
        numbers[states == PRESENT] = [[float(min(max(number, -1e300), 1e300)) for number in row] for row in whole]
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
    for part in _PARTS:
        if not isinstance(content.get(part), list):
            return [Finding('form', f'the file has no list "{part}", as COCO\'s format has')]
    parts = [entry_errors(content[part], f'entries of "{part}"', kinds) for part, kinds in _PARTS.items()]
    return findings_of(chain(*parts))


def entry_errors(entries: list, name: str, kinds: dict) -> Iterator[tuple]:
    """Rules that the entries of a list are dictionaries with certain kinds of values."""
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
