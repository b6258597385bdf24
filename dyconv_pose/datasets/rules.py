"""The rules of COCO annotations and detections: whatever breaks one stops training, testing or scoring.

An error is what MMPose or the COCO evaluation would fail on or silently get wrong; what they tolerate is a warning of
``check_dataset.py``. A rule yields its name, what is wrong, and where. Letters: N annotations, I images, K keypoints.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dyconv_pose.files import read_json

from .annotations import ABSENT, MALFORMED, PRESENT, AnnotationTable, Finding, entry_errors, findings_of, number_rows

#: The category that MMPose takes for persons in detections.
PERSON_CATEGORY = 1

BOX_FORM = 'are they x, y, width, height in pixels?'

#: Boxes and points outside by more than this share of the image, where most are, are of another format or size.
FAR_SHARE = 0.1

_DETECTION = {'image_id': int, 'category_id': int, 'bbox': list, 'score': (int, float)}

#: EXIF's orientations that swap width and height, and the formats in which OpenCV follows them (Pillow does in TIFF).
_TURNED, _FORMATS = (5, 6, 7, 8), ('JPEG', 'MPO', 'PNG', 'WEBP')


def check_annotations(
    table: AnnotationTable, keypoint_names: Sequence[str], is_scored: bool, needs_area: bool = True
) -> list[Finding]:
    """The errors of an annotation file, by the K names of the metadata.

    COCO AP (``is_scored``) needs more than training does, with annotated areas (``needs_area``) more still.
    """
    rules = [*_value_errors(table, is_scored and needs_area), *_fit_errors(table, keypoint_names)]
    rules += _category_errors(table) if is_scored or table.categories else ()
    if not table.usable_persons().any():
        result = 'AP would be -1' if is_scored else 'nothing can be learnt'
        rules.append(('no-persons', f'no person has a box and a labelled keypoint, so {result}', None))
    return findings_of(rules)


def truth_errors(table: AnnotationTable) -> list[Finding]:
    """What the evaluator would fail on in annotations that results are scored against."""
    missing = ('missing-bbox', 'annotations have no "bbox"', table.ids[table.states['bbox'] == ABSENT])
    return findings_of([*_value_errors(table, needs_area=False), missing, *_category_errors(table)])


def _value_errors(table: AnnotationTable, needs_area: bool) -> Iterator[tuple]:
    num = table.labelled.shape[1]
    points = f'the {num} keypoints of the metadata, {3 * num} numbers x, y, v'
    forms = {'keypoints': points, 'bbox': 'x, y, width, height'}
    for key, state in table.states.items():
        absent = table.ids[state == ABSENT]
        if key in forms and 0 < len(absent) == len(table.ids):
            yield f'no-{key}', f'no annotation has "{key}": is it a file of persons with {num} keypoints each?', None
        elif key == 'area' and needs_area:
            message = 'annotations have no "area", which COCO AP needs: add it, or set use_area=False in the CocoMetric'
            yield 'missing-area', message, absent
        message = f'annotations have "{key}" in another form than {forms.get(key, "one number")}, finite'
        yield f'{key}-form', message, table.ids[state == MALFORMED]
    for name, ids in (('annotation', table.ids), ('image', table.image_ids)):
        values, counts = np.unique(ids, return_counts=True)
        yield 'duplicate-id', f'{name} ids occur more than once', values[counts > 1], 'id'
    yield 'unknown-image', 'annotations are of images that the file does not list', table.ids[table.image_rows < 0]


def _category_errors(table: AnnotationTable) -> Iterator[tuple]:
    lost = table.ids[~np.isin(table.category_ids, [entry['id'] for entry in table.categories])]
    yield 'category', 'annotations are of a category that the file does not list', lost  # and do not count for AP


def _fit_errors(table: AnnotationTable, keypoint_names: Sequence[str]) -> Iterator[tuple]:
    is_sized = (np.isfinite(table.image_sizes_wh) & (table.image_sizes_wh > 0)).all(axis=1)
    yield 'image-size', 'images have no positive, finite width and height', table.image_ids[~is_sized], 'image'
    is_negative = (table.numbers['keypoints'][..., 2] < 0).any(axis=1)
    yield 'visibility', 'annotations have a negative visibility', table.ids[is_negative]
    far = (table.points_beyond() > FAR_SHARE * table.sizes_wh[:, None]).any(axis=2)
    if far.sum() > 0.5 * table.labelled.sum():
        message = 'annotations have keypoints outside the image, and most points are: are they pixels of these images?'
        yield 'keypoints-outside', message, table.ids[far.any(axis=1)]
    away = box_faults(table.numbers['bbox'], table.sizes_wh)[1]
    yield 'box-outside', 'boxes lie outside their image', table.ids[away]
    yield from box_errors(table.numbers['bbox'], table.sizes_wh, 'boxes', table.ids)
    expected = [name.lower() for name in keypoint_names]
    for entry in table.categories:
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


def box_errors(
    boxes: np.ndarray, sizes_wh: np.ndarray, name: str, places: np.ndarray, unit: str = 'annotation'
) -> Iterator[tuple]:
    """Rules that boxes (N, 4) are x, y, width and height in pixels, by the sizes of their images, NaN where unknown."""
    negative, _, far, _ = box_faults(boxes, sizes_wh)
    yield 'box-size', f'{name} have a negative width or height', places[negative], unit
    finite = np.isfinite(boxes).all(axis=1)
    share = far.sum() / max(finite.sum(), 1)
    if share > 0.5 or (share > 0.2 and are_corners(boxes, sizes_wh)):
        yield 'box-outside', f'{name} lie far outside their image: {BOX_FORM}', places[far], unit
    elif finite.any() and boxes[finite].max() <= 1:
        yield 'box-unit', f'all {name} are smaller than one pixel: {BOX_FORM}', None


def are_corners(boxes: np.ndarray, sizes_wh: np.ndarray) -> bool:
    """Whether boxes (N, 4), but for a few, can be read as left, top, right and bottom within their images."""
    is_inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & ~(boxes[:, 2:] > sizes_wh + 2).any(axis=1)
    return is_inside.sum() > 0.95 * np.isfinite(boxes).all(axis=1).sum()


def missing_images(table: AnnotationTable, folder: Path, is_needed: np.ndarray) -> list[Finding]:
    """The images that are needed, (I,) bool, and not in the folder, which is listed once: look-ups are slow."""
    listed = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    needed = [name for name, is_one in zip(table.file_names, is_needed.tolist(), strict=True) if is_one]
    missing = [name for name in needed if name not in listed and not ('/' in name and (folder / name).is_file())]
    return findings_of([('missing-image', f'image files are missing in "{folder}"', missing, 'file')])


def header_size(path: str | Path, is_upright: bool = True) -> tuple[int, int] | None:
    """Width and height of an image file, upright by EXIF or as stored; ``None`` where its header cannot be read."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            has_exif = image.format in _FORMATS and 'exif' in image.info  # else Pillow decodes a PNG to look for it
            is_turned = is_upright and has_exif and image.getexif().get(0x0112) in _TURNED
            return image.size[::-1] if is_turned else image.size
    except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def size_findings(table: AnnotationTable, folder: Path, rows: Iterable[int], is_upright: bool = True) -> list[Finding]:
    """Images, by their rows, that have another size than annotated: an error if most do, else a warning."""
    sizes = {row: header_size(folder / table.file_names[row], is_upright) for row in rows}
    sizes = {row: size for row, size in sizes.items() if size}
    differ = [
        f'{table.file_names[row]}: {size[0]}x{size[1]}, annotated {annotated[0]:g}x{annotated[1]:g}'
        for row, size in sizes.items()
        if size != tuple(annotated := table.image_sizes_wh[row])
    ]
    message = f'of {len(sizes):,} images have another size than annotated: resize or rotate images or annotations'
    if is_upright:
        message += " (EXIF's rotation is applied; color_type='color_ignore_orientation' of LoadImage leaves it out)"
    severity = 'error' if len(differ) > 0.5 * len(sizes) else 'warning'
    return [replace(found, severity=severity) for found in findings_of([('image-size', message, differ, 'file')])]


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
    try:
        content = read_json(path, 'detections')
    except ValueError as error:
        return [Finding('json', str(error).rstrip('.'))]
    sizes = dict(zip(table.image_ids.tolist(), table.image_sizes_wh.tolist(), strict=True))
    errors = detection_errors(content, sizes, lists_all=True)
    used = sorted(set(table.category_ids[table.is_person].tolist()))
    if used not in ([], [PERSON_CATEGORY]):
        message = f'MMPose takes detections for category {PERSON_CATEGORY}, and the annotated persons are of {used}, '
        errors.append(Finding('category', f'{message}which never match: renumber them, or evaluate with --gt-boxes'))
    return errors


def detection_errors(
    content: object, sizes_wh: Mapping[int, Sequence], category_id: int = PERSON_CATEGORY, lists_all: bool = False
) -> list[Finding]:
    """The errors of detected boxes, by the persons' category and images' sizes by id, of all images or of some."""
    if form := findings_of(entry_errors(content, 'detections', _DETECTION)):
        return form
    places = np.array([k for k, entry in enumerate(content) if entry['category_id'] == category_id], int)
    if not len(places):
        given = sorted({entry['category_id'] for entry in content})
        has = f'the file has {given[:9]}: renumber them' if given else 'the file is empty'
        return [Finding('no-persons', f'no detection is of category {category_id}, the persons, {has}')]
    entries = [content[place] for place in places]
    boxes, states = number_rows([entry['bbox'][:4] for entry in entries], 4)
    scored = number_rows([entry['score'] for entry in entries])[1] == PRESENT
    sizes = np.array([sizes_wh.get(entry['image_id'], (np.nan, np.nan)) for entry in entries], float)
    has_five = all(len(entry['bbox']) > 4 for entry in entries) and are_corners(boxes, sizes)
    five = f'detections have five numbers as box, as of corners and a score: {BOX_FORM}'
    lost = places[[lists_all and entry['image_id'] not in sizes_wh for entry in entries]]
    return findings_of([
        ('box-form', 'detections have no four finite numbers as box', places[states != PRESENT], 'position'),
        ('score-form', 'detections have a score that is not finite', places[~scored], 'position'),
        ('box-form', five, places if has_five else (), 'position'),
        *box_errors(boxes, sizes, 'detections', places, 'position'),
        ('unknown-image', 'detections are in images that the annotations do not list', lost, 'position'),
    ])  # fmt: skip
