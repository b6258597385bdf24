"""The rules of COCO annotations: whatever breaks one stops training, testing or scoring.

An error is what MMPose or the COCO evaluation would fail on or silently get wrong. What they tolerate, as the real COCO
has it, is a warning of ``tools/dataset_converters/check_dataset.py``. A rule yields its name, what is wrong, and where
(:func:`~.annotations.findings_of`). Letters: N annotations, I images, K keypoints.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from .annotations import ABSENT, MALFORMED, PRESENT, AnnotationTable, Finding, findings_of

#: The category that MMPose takes for persons in detections.
PERSON_CATEGORY = 1

BOX_FORM = 'are they x, y, width, height in pixels?'

#: Boxes and points outside by more than this share of the image, where most are, are of another format or size.
FAR_SHARE = 0.1


def check_annotations(
    table: AnnotationTable, keypoint_names: Sequence[str], is_scored: bool, needs_area: bool = True
) -> list[Finding]:
    """The errors of an annotation file, by the K names of the metadata.

    COCO AP (``is_scored``) needs more than training does, with annotated areas (``needs_area``) more still.
    """
    rules = [*_value_errors(table, is_scored and needs_area), *_place_errors(table)]
    rules += [*_name_errors(table, keypoint_names), *(_unlisted(table) if is_scored or table.categories else ())]
    if not usable_persons(table).any():
        result = 'AP would be -1' if is_scored else 'nothing can be learnt'
        rules.append(('no-persons', f'no person has a box and a labelled keypoint, so {result}', None))
    return findings_of(rules)


def truth_errors(table: AnnotationTable) -> list[Finding]:
    """What the evaluator would fail on in annotations that results are scored against."""
    missing = [('missing-bbox', 'annotations have no "bbox"', table.ids[table.states['bbox'] == ABSENT])]
    return findings_of(chain(_value_errors(table, needs_area=False), missing, _unlisted(table)))


def _unlisted(table: AnnotationTable) -> Iterator[tuple]:
    lost = table.ids[~np.isin(table.category_ids, [entry['id'] for entry in table.categories])]
    yield 'category', 'annotations are of a category that the file does not list', lost  # and do not count for AP


def _value_errors(table: AnnotationTable, needs_area: bool) -> Iterator[tuple]:
    num = table.labelled.shape[1]
    forms = dict(
        keypoints=f'the {num} keypoints of the metadata, {3 * num} numbers x, y, v', bbox='x, y, width, height'
    )
    for key, state in table.states.items():
        absent = table.ids[state == ABSENT]
        if key in forms and 0 < len(absent) == len(table.ids):
            yield f'no-{key}', f'no annotation has "{key}": is it a file of persons with {num} keypoints each?', None
        elif key == 'area' and needs_area:
            message = 'annotations have no "area", which COCO AP needs: add it, or set use_area=False in the CocoMetric'
            yield 'missing-area', message, absent
        form = forms.get(key, 'one number')
        yield f'{key}-form', f'annotations have "{key}" in another form than {form}', table.ids[state == MALFORMED]
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
    _, away, _, _ = box_faults(table.numbers['bbox'], table.sizes_wh)
    yield 'box-outside', 'boxes lie outside their image', table.ids[away]
    yield from box_errors(table.numbers['bbox'], table.sizes_wh, 'boxes', table.ids)


def points_beyond(table: AnnotationTable) -> np.ndarray:
    """(N, K, 2): pixels by which labelled keypoints lie outside their image, NaN for others."""
    points = np.where(table.labelled[..., None], table.numbers['keypoints'][..., :2], np.nan)
    return np.maximum(-points, points - table.sizes_wh[:, None])


def box_faults(boxes_xywh: np.ndarray, sizes_wh: np.ndarray) -> tuple[np.ndarray, ...]:
    """Which boxes (N, 4) have a fault, by the sizes (N, 2) of their images, NaN where unknown.

    Gives (N,) bool: of a negative extent, wholly outside, outside by more than a tenth of the image; and (N, 2) pixels
    by which boxes of a positive extent reach outside, NaN for others.
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


def _name_errors(table: AnnotationTable, keypoint_names: Sequence[str]) -> Iterator[tuple]:
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


def usable_persons(table: AnnotationTable) -> np.ndarray:
    """(N,) bool: persons with a box, a labelled keypoint and a listed image."""
    has_box = (table.numbers['bbox'][:, 2:] > 0).all(axis=1)
    return table.is_person & has_box & (table.image_rows >= 0) & ~(table.numbers['num_keypoints'] == 0)


def check_metainfo(metainfo: dict) -> None:
    """Raises a ValueError where metadata, as MMPose parses it, lacks what MMPose takes for granted."""
    names, flips, count = metainfo['keypoint_id2name'], metainfo['flip_indices'], metainfo['num_keypoints']
    lengths = {'sigmas': len(metainfo['sigmas']) or count, 'joint_weights': len(metainfo['dataset_keypoint_weights'])}
    wrong = [f'{key} must be {count} numbers, as keypoints, got {n}' for key, n in lengths.items() if n != count]
    if list(names) != list(range(count)) or len(set(names.values())) != count:
        wrong.append(f'{count} keypoints must have the ids 0 to {count - 1} in order and different names, got {names}')
    elif one_way := [k for k in range(count) if flips[flips[k]] != k]:
        first, second = names[one_way[0]], names[flips[one_way[0]]]
        wrong.append(f'swaps must go both ways, and "{first}" names "{second}", which names another')
    if wrong:
        raise ValueError(f'In the metainfo of the dataset "{metainfo["dataset_name"]}" {wrong[0]:.400}: correct it.')


def missing_images(table: AnnotationTable, folder: Path, is_needed: np.ndarray) -> list[Finding]:
    """The images that are needed, (I,) bool, and not in the folder, which is listed once: look-ups are slow."""
    listed = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    needed = [name for name, is_one in zip(table.file_names, is_needed.tolist(), strict=True) if is_one]
    missing = [name for name in needed if name not in listed and not ('/' in name and (folder / name).is_file())]
    return findings_of([('missing-image', f'image files are missing in "{folder}"', missing, 'file')])
