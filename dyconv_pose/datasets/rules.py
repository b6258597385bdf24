"""The rules of COCO annotations and detections: whatever breaks one stops training, testing or scoring.

An error is what MMPose or the COCO evaluation would fail on or silently get wrong; what they tolerate is a warning of
``check_dataset.py``. A rule yields its name, what is wrong, the places (``None``: the whole file), and what a place is,
an annotation if not said. Arrays make that fast for 150,000 persons. Letters: N annotations, I images, K keypoints.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dyconv_pose.files import read_json

#: States of a value in an annotation.
PRESENT, ABSENT, MALFORMED = 0, 1, 2
#: The category that MMPose takes for persons in detections.
PERSON_CATEGORY = 1
#: Boxes and points outside by more than this share of the image, where most are, are of another format or size.
FAR_SHARE = 0.1
#: Numbers beyond are no pixels: without it, their squares would not be finite.
_LIMIT = 1e30

_NUMBER = (int, float)
_KINDS = {int: 'an integer', str: 'text', list: 'a list', _NUMBER: 'a number'}
_PARTS = {
    'images': {'id': int, 'file_name': str, 'width': _NUMBER, 'height': _NUMBER},
    'annotations': {'id': int, 'image_id': int, 'category_id': int},
    'categories': {'id': int},
}
_DETECTION = {'image_id': int, 'category_id': int, 'bbox': list, 'score': _NUMBER}
_BOX_FORM = 'are they x, y, width, height in pixels?'


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
        places = ', '.join(map(str, self.examples)) + ', ...' * (self.count > len(self.examples))
        return f'{self.count:,} {self.message} ({self.unit} {places})' if self.examples else self.message


def findings_of(rules: Iterable[tuple], severity: str = 'error') -> list[Finding]:
    """The rules that are broken."""
    found = []
    for rule, message, places, *unit in rules:
        if places is None or len(places):
            where = () if places is None else (len(places), tuple(np.array(places[:5]).tolist()), *unit)
            found.append(Finding(rule, message, *where, severity=severity))
    return found


class AnnotationTable:
    """The annotations of a file in which :func:`form_errors` finds nothing, as arrays.

    Of annotations: ``ids``, ``category_ids``, ``image_rows`` (N,), -1 for an unlisted image, ``sizes_wh`` (N, 2) of
    the image or NaN; ``numbers`` by key, NaN where not present: bbox (N, 4) as x, y, width, height in pixels, keypoints
    (N, K, 3) as x, y, visibility, and area, num_keypoints, iscrowd (N,); their ``states`` (N,). ``labelled`` (N, K):
    the visibility is above zero; ``points_beyond`` (N, K, 2): pixels by which such lie outside their image, else NaN.
    ``is_person`` (N,): who can be learnt from or scored, no crowd and with a labelled keypoint; ``is_usable`` (N,):
    also with a box and a listed image. Of images: ``image_ids``, ``has_person`` (I,), ``image_sizes_wh`` (I, 2) in
    pixels, and ``row_of_image`` by id.
    """

    def __init__(self, content: dict, num_keypoints: int) -> None:
        images, annotations, self.categories = content['images'], content['annotations'], content.get('categories', [])
        self.file_names = [image['file_name'] for image in images]
        self.image_ids = np.array([image['id'] for image in images], np.int64)
        self.image_sizes_wh = np.array([(image['width'], image['height']) for image in images], float).reshape(-1, 2)
        self.row_of_image = {image_id: row for row, image_id in enumerate(self.image_ids.tolist())}
        self.ids = np.array([one['id'] for one in annotations], np.int64)
        self.category_ids = np.array([one['category_id'] for one in annotations], np.int64)
        self.image_rows = np.array([self.row_of_image.get(one['image_id'], -1) for one in annotations], np.int64)
        self.sizes_wh = np.vstack([self.image_sizes_wh, [[np.nan, np.nan]]])[self.image_rows]
        widths = {'keypoints': 3 * num_keypoints, 'bbox': 4, 'area': None, 'num_keypoints': None, 'iscrowd': None}
        self.numbers, self.states = {}, {}
        for key, width in widths.items():
            self.numbers[key], self.states[key] = number_rows([one.get(key) for one in annotations], width)
        self.numbers['keypoints'] = self.numbers['keypoints'].reshape(-1, num_keypoints, 3)
        self.labelled = self.numbers['keypoints'][..., 2] > 0
        self.is_person = self.labelled.any(axis=1) & ~(self.numbers['iscrowd'] > 0)
        self.is_usable = self.is_person & (self.image_rows >= 0) & (self.numbers['num_keypoints'] != 0)
        self.is_usable &= (self.numbers['bbox'][:, 2:] > 0).all(axis=1)
        self.has_person = np.isin(np.arange(len(images)), self.image_rows[self.is_person])
        points = np.where(self.labelled[..., None], self.numbers['keypoints'][..., :2], np.nan)
        self.points_beyond = np.maximum(-points, points - self.sizes_wh[:, None])


def number_rows(values: list, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(N, width) float64 of N lists of finite numbers, or (N,) of N numbers, NaN for others; and their states (N,)."""
    rows, length = ([[value] for value in values], 1) if width is None else (values, width)
    numbers = np.full((len(rows), length), np.nan)
    for place, row in enumerate(rows):
        if type(row) is list and len(row) == length and all(type(x) in _NUMBER and abs(x) < _LIMIT for x in row):
            numbers[place] = row
    states = np.where(np.isnan(numbers[:, 0]), MALFORMED, PRESENT)
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
    parts = {part: content.get(part, [] if part == 'categories' else None) for part in _PARTS}  # training needs none
    if missing := [part for part, entries in parts.items() if entries is None]:
        return [Finding('form', f'the file has no list "{missing[0]}", as COCO\'s format has')]
    rules = (entry_errors(entries, f'entries of "{part}"', _PARTS[part]) for part, entries in parts.items())
    return findings_of(chain(*rules))


def entry_errors(entries: object, name: str, kinds: dict) -> Iterator[tuple]:
    """Rules that entries are a list of dictionaries with certain kinds of values."""
    if not isinstance(entries, list):
        yield 'form', f'the {name} must be a list of dictionaries, the file holds a {type(entries).__name__}', None
    elif others := [place for place, entry in enumerate(entries) if not isinstance(entry, dict)]:
        yield 'form', f'{name} are no dictionaries', others, 'position'
    else:
        for key, kind in kinds.items():
            values = [entry.get(key) for entry in entries]
            if absent := [place for place, value in enumerate(values) if value is None]:
                has = ', '.join(entries[absent[0]]) or 'nothing'
                yield 'form', f'{name} lack "{key}" ({_KINDS[kind]}), the first has {has:.80}', absent, 'position'
            fits = [isinstance(value, kind) and not (type(value) is int and abs(value) >= 2**63) for value in values]
            if wrong := [place for place, fit in enumerate(fits) if not fit and values[place] is not None]:
                value = repr(values[wrong[0]])
                yield 'form', f'{name} have a "{key}" that is not {_KINDS[kind]} but {value:.40}', wrong, 'position'


def check_annotations(table: AnnotationTable, names: Sequence, is_scored: bool, needs_area: bool) -> list[Finding]:
    """The errors of an annotation file, by the K names of the metadata; COCO AP needs more than training does."""
    is_sized = (np.isfinite(table.image_sizes_wh) & (table.image_sizes_wh > 0)).all(axis=1)
    is_negative = (table.numbers['keypoints'][..., 2] < 0).any(axis=1)
    far = (table.points_beyond > FAR_SHARE * table.sizes_wh[:, None]).any(axis=2)
    is_far = far.any(axis=1) & (far.sum() > 0.5 * table.labelled.sum())
    outside = 'annotations have keypoints outside the image, and most points are: are they pixels of these images?'
    boxes, result = table.numbers['bbox'], 'AP would be -1' if is_scored else 'nothing can be learnt'
    nobody = f'no person has a box and a labelled keypoint, so {result}'
    return findings_of([
        *value_errors(table, is_scored, needs_area),
        ('image-size', 'images have no positive, finite width and height', table.image_ids[~is_sized], 'image'),
        ('visibility', 'annotations have a negative visibility', table.ids[is_negative]),
        ('keypoints-outside', outside, table.ids[is_far]),
        ('box-outside', 'boxes lie outside their image', table.ids[box_faults(boxes, table.sizes_wh)[1]]),
        *box_errors(boxes, table.sizes_wh, 'boxes', table.ids, 'annotation'),
        *(('keypoint-names', message, None) for message, is_error in name_faults(table, names) if is_error),
        ('no-persons', nobody, () if table.is_usable.any() else None),
    ])  # fmt: skip


def value_errors(table: AnnotationTable, is_scored: bool, needs_area: bool) -> Iterator[tuple]:
    """Rules that values are numbers, that ids occur once, and that images and categories are listed."""
    num = table.labelled.shape[1]
    points = f'the {num} keypoints of the metadata, {3 * num} numbers x, y, v'
    forms = {'keypoints': points, 'bbox': 'x, y, width, height'}
    for key, states in table.states.items():
        absent, wrong = table.ids[states == ABSENT], table.ids[states == MALFORMED]
        if key in forms and 0 < len(absent) == len(table.ids):
            yield f'no-{key}', f'no annotation has "{key}": is it a file of persons with {num} keypoints each?', None
        elif key == 'area' and is_scored and needs_area:
            message = 'annotations have no "area", which COCO AP needs: add it, or set use_area=False in the CocoMetric'
            yield 'missing-area', message, absent
        message = f'annotations have "{key}" in another form than {forms.get(key, "one number")}, finite'
        yield f'{key}-form', message, wrong
    for name, ids in (('annotation', table.ids), ('image', table.image_ids)):
        values, counts = np.unique(ids, return_counts=True)
        yield 'duplicate-id', f'{name} ids occur more than once', values[counts > 1], 'id'
    yield 'unknown-image', 'annotations are of images that the file does not list', table.ids[table.image_rows < 0]
    if is_scored or table.categories:
        lost = table.ids[~np.isin(table.category_ids, [entry['id'] for entry in table.categories])]
        yield 'category', 'annotations are of a category that the file does not list', lost  # and do not count for AP


def name_faults(table: AnnotationTable, names: Sequence) -> Iterator[tuple[str, bool]]:
    """How categories and metadata differ in keypoints; an error (``True``) unless one is merely called otherwise."""
    expected = [name.lower() for name in names]
    for entry in table.categories:
        given = entry.get('keypoints') if entry['id'] in table.category_ids else None
        given = [re.sub('[ -]', '_', str(name).lower()) for name in given] if isinstance(given, list) else []
        if given and len(given) != len(expected):
            yield f"the file's category has {len(given)} keypoints, the config's metadata {len(expected)}", True
        elif given and given != expected:
            place = next(k for k, name in enumerate(given) if name != expected[k])
            message = f'the file\'s category calls keypoint {place} "{given[place]}", the config\'s metadata '
            is_order = sorted(given) == sorted(expected)
            yield f'{message}"{expected[place]}"{": they are in another order" * is_order}', is_order


def box_faults(boxes_xywh: np.ndarray, sizes_wh: np.ndarray) -> tuple[np.ndarray, ...]:
    """The faults of boxes (N, 4), by the sizes (N, 2) of their images, NaN where unknown.

    (N,) bool: a negative extent, wholly outside, outside by more than a tenth of the image; and (N, 2) pixels by which
    boxes of a positive extent reach outside, NaN for others.
    """
    start, end = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    is_sized = (boxes_xywh[:, 2:] > 0).all(axis=1)
    beyond = np.where(is_sized[:, None], np.maximum(-start, end - sizes_wh), np.nan)
    away = is_sized & ((end <= 0) | (start >= sizes_wh)).any(axis=1)
    return (boxes_xywh[:, 2:] < 0).any(axis=1), away, (beyond > FAR_SHARE * sizes_wh).any(axis=1), beyond


def box_errors(boxes: np.ndarray, sizes_wh: np.ndarray, name: str, places: np.ndarray, unit: str) -> Iterator[tuple]:
    """Rules that boxes (N, 4) are x, y, width and height in pixels, by the sizes of their images, NaN where unknown."""
    negative, _, far, _ = box_faults(boxes, sizes_wh)
    yield 'box-size', f'{name} have a negative width or height', places[negative], unit
    finite = np.isfinite(boxes).all(axis=1)
    share = far.sum() / max(finite.sum(), 1)
    if share > 0.5 or (share > 0.2 and are_corners(boxes, sizes_wh)):
        yield 'box-outside', f'{name} lie far outside their image: {_BOX_FORM}', places[far], unit
    elif finite.any() and boxes[finite].max() <= 1:
        yield 'box-unit', f'all {name} are smaller than one pixel: {_BOX_FORM}', None


def are_corners(boxes: np.ndarray, sizes_wh: np.ndarray) -> bool:
    """Whether boxes (N, 4), but for a few, can be read as left, top, right and bottom within their images."""
    is_inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & ~(boxes[:, 2:] > sizes_wh + 2).any(axis=1)
    return is_inside.sum() > 0.95 * np.isfinite(boxes).all(axis=1).sum()


def missing_images(table: AnnotationTable, folder: Path, is_needed: np.ndarray) -> list[Finding]:
    """The images that are needed, (I,) bool, and not in the folder, which is listed once: look-ups are slow."""
    listed = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    needed = [table.file_names[row] for row in np.flatnonzero(is_needed)]
    missing = [name for name in needed if name not in listed and not ('/' in name and (folder / name).is_file())]
    return findings_of([('missing-image', f'image files are missing in "{folder}"', missing, 'file')])


def header_size(path: str | Path, is_upright: bool = True) -> tuple[int, int] | None:
    """Width and height of an image file, upright by EXIF or as stored; ``None`` where its header cannot be read."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            # OpenCV follows EXIF in these formats (Pillow does in TIFF); without 'exif' Pillow would decode a whole PNG
            has_exif = image.format in ('JPEG', 'MPO', 'PNG', 'WEBP') and 'exif' in image.info
            is_turned = is_upright and has_exif and image.getexif().get(0x0112) in (5, 6, 7, 8)
            return image.size[::-1] if is_turned else image.size
    except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def size_findings(table: AnnotationTable, folder: Path, rows: Iterable[int], is_upright: bool = True) -> list[Finding]:
    """Images, by their rows, that have another size than annotated: an error if most do, else a warning."""
    sizes = {row: size for row in rows if (size := header_size(folder / table.file_names[row], is_upright))}
    differ = [
        f'{table.file_names[row]}: {size[0]}x{size[1]}, annotated {annotated[0]:g}x{annotated[1]:g}'
        for row, size in sizes.items()
        if size != tuple(annotated := table.image_sizes_wh[row])
    ]
    message = f'of {len(sizes):,} images have another size than annotated: resize or rotate images or annotations'
    if is_upright:
        message += " (EXIF's rotation is applied; color_type='color_ignore_orientation' of LoadImage leaves it out)"
    severity = 'error' if len(differ) > 0.5 * len(sizes) else 'warning'
    return findings_of([('image-size', message, differ, 'file')], severity)


def check_detections(path: str | Path, table: AnnotationTable) -> list[Finding]:
    """The errors of a file of detected boxes that MMPose reads, against the annotations of the same images."""
    try:
        content = read_json(path, 'detections')
    except ValueError as error:
        return [Finding('json', str(error).rstrip('.'))]
    sizes = dict(zip(table.image_ids.tolist(), table.image_sizes_wh.tolist(), strict=True))
    errors = detection_errors(content, sizes, PERSON_CATEGORY, lists_all=True)
    used = sorted(set(table.category_ids[table.is_person].tolist()))
    if used not in ([], [PERSON_CATEGORY]):
        message = f'MMPose takes detections for category {PERSON_CATEGORY}, and the annotated persons are of {used}, '
        errors.append(Finding('category', f'{message}which never match: renumber them, or evaluate with --gt-boxes'))
    return errors


def detection_errors(content: object, sizes_wh: Mapping, category_id: int, lists_all: bool = False) -> list[Finding]:
    """The errors of detected boxes, by the persons' category and images' sizes by id, of all images or of some."""
    if form := findings_of(entry_errors(content, 'detections', _DETECTION)):
        return form
    persons = {place: entry for place, entry in enumerate(content) if entry['category_id'] == category_id}
    if not persons:
        given = sorted({entry['category_id'] for entry in content})
        has = f'the file has {given[:9]}: renumber them' if given else 'the file is empty'
        return [Finding('no-persons', f'no detection is of category {category_id}, the persons, {has}')]
    places, entries = np.array(list(persons)), list(persons.values())
    boxes, states = number_rows([entry['bbox'][:4] for entry in entries], 4)
    scored = number_rows([entry['score'] for entry in entries])[1] == PRESENT
    sizes = np.array([sizes_wh.get(entry['image_id'], (np.nan, np.nan)) for entry in entries], float)
    has_five = all(len(entry['bbox']) > 4 for entry in entries) and are_corners(boxes, sizes)
    five = f'detections have five numbers as box, as of corners and a score: {_BOX_FORM}'
    lost = places[[lists_all and entry['image_id'] not in sizes_wh for entry in entries]]
    return findings_of([
        ('box-form', 'detections have no four finite numbers as box', places[states != PRESENT], 'position'),
        ('score-form', 'detections have a score that is not finite', places[~scored], 'position'),
        ('box-form', five, places if has_five else (), 'position'),
        *box_errors(boxes, sizes, 'detections', places, 'position'),
        ('unknown-image', 'detections are in images that the annotations do not list', lost, 'position'),
    ])  # fmt: skip
