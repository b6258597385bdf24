"""The rules that keypoint annotations have to keep, each a function from the table of annotations to findings.

What MMPose or the COCO evaluation would fail on, or would silently get wrong, is an error. What they skip or
tolerate, and the real COCO has (points slightly outside, fractional boxes, persons without points), is none or a
warning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .annotations import ABSENT, MALFORMED, PRESENT, AnnotationTable
from .findings import ERROR, WARNING, Finding, file_error, finding
from .outside import FAR_SHARE, TOLERANCE, box_faults

#: COCOeval's areas of medium and large persons, pixels squared.
AREA_RANGES = (('(M)', 32**2, 96**2), ('(L)', 96**2, 1e10))


@dataclass(frozen=True)
class Context:
    """What a file is checked against.

    Attributes:
        keypoint_names: The K names of the data set's metadata, in order.
        is_scored: Whether COCO AP is computed on the file, which needs more than training does.
    """

    keypoint_names: Sequence[str]
    is_scored: bool


def check_table(table: AnnotationTable, context: Context) -> list[Finding]:
    """Applies every rule; the gravest findings come first."""
    findings = [found for rule in RULES for found in rule(table, context)]
    return sorted(findings, key=lambda found: found.severity != ERROR)


def identities(table: AnnotationTable, context: Context) -> list[Finding]:
    """Ids are unique, and every annotation is of a known image."""
    findings = finding('duplicate-id', ERROR, 'annotation ids occur more than once', _repeated(table.ids), 'id')
    findings += finding('duplicate-id', ERROR, 'image ids occur more than once', _repeated(table.image_ids), 'id')
    lost = table.ids[table.image_rows < 0]
    findings += finding('unknown-image', ERROR, 'annotations are of images that the file does not list', lost)
    if context.is_scored:
        zero = table.ids[table.ids == 0]
        message = 'annotation has the id 0, whose match COCOeval takes for none: number them from 1'
        findings += finding('id-zero', WARNING, message, zero)
    return findings


def _repeated(ids: np.ndarray) -> np.ndarray:
    values, counts = np.unique(ids, return_counts=True)
    return values[counts > 1]


def categories(table: AnnotationTable, context: Context) -> list[Finding]:
    """The categories are listed, name the metadata's keypoints, and persons are of one of them."""
    known = [entry for entry in table.categories if isinstance(entry, dict) and isinstance(entry.get('id'), int)]
    ids = [entry['id'] for entry in known]
    lost = table.ids[~np.isin(table.category_ids, ids)]
    findings = finding('category', ERROR, 'annotations are of a category that the file does not list', lost)
    used = set(np.unique(table.category_ids[table.is_person]).tolist())
    if len(used) > 1:
        message = 'categories have persons, and all are taken for the same one'
        findings += finding('category', WARNING, message, sorted(used), 'category')
    if context.is_scored and used and 1 not in used:
        message = 'category has the persons; detections count as category 1 and would not match them'
        findings += finding('category', WARNING, message, sorted(used), 'category')
    for entry in known:
        if entry['id'] in table.category_ids and isinstance(entry.get('keypoints'), list):
            findings += _names(entry, context)
    return findings


def _names(category: dict, context: Context) -> list[Finding]:
    given = [str(name).lower().replace(' ', '_').replace('-', '_') for name in category['keypoints']]
    expected = [name.lower() for name in context.keypoint_names]
    if given == expected or not given:
        return []
    if len(given) != len(expected):
        message = f"the file's category has {len(given)} keypoints, the config's metadata {len(expected)}"
        return file_error('keypoint-names', message)
    place = next(k for k in range(len(given)) if given[k] != expected[k])
    message = (
        f'the file\'s category calls keypoint {place} "{given[place]}", the config\'s metadata "{expected[place]}"'
    )
    if sorted(given) == sorted(expected):
        return file_error('keypoint-names', f'{message}: they are in another order')
    return [Finding('keypoint-names', WARNING, message)]


def keypoints(table: AnnotationTable, context: Context) -> list[Finding]:
    """Every person has the metadata's number of keypoints, finite and within the image."""
    num = len(context.keypoint_names)
    absent = table.ids[table.keypoint_states == ABSENT]
    if 0 < len(absent) == len(table.ids):
        message = f'no annotation has "keypoints": are these box or mask annotations, instead of {num} keypoints each?'
        return file_error('no-keypoints', message)
    message = 'annotations have no "keypoints" and are left out'
    findings = finding('missing-keypoints', WARNING, message, absent)
    wrong = table.ids[table.keypoint_states == MALFORMED]
    message = f"annotations do not have the {num} keypoints of the config's metadata, as {3 * num} numbers x, y, v"
    findings += finding('keypoint-count', ERROR, message, wrong)
    present = table.keypoint_states == PRESENT
    infinite = present & ~np.isfinite(table.keypoints).all(axis=(1, 2))
    findings += finding('not-finite', ERROR, 'annotations have keypoints that are not finite', table.ids[infinite])
    negative = (table.keypoints[..., 2] < 0).any(axis=1)
    findings += finding('visibility', ERROR, 'annotations have a negative visibility', table.ids[negative])
    odd = (present[:, None] & (table.keypoints[..., 2] >= 0) & ~np.isin(table.keypoints[..., 2], (0, 1, 2))).any(axis=1)
    findings += finding('visibility', WARNING, 'annotations have a visibility other than 0, 1, 2', table.ids[odd])
    return findings + _points_outside(table)


def _points_outside(table: AnnotationTable) -> list[Finding]:
    sizes = _sizes(table)[:, None]
    beyond = np.maximum(-table.keypoints[..., :2], table.keypoints[..., :2] - sizes)  # (N, K, 2) pixels
    outside = table.labelled & (beyond > TOLERANCE).any(axis=2)
    far = table.labelled & (beyond > FAR_SHARE * sizes).any(axis=2)
    persons = table.ids[outside.any(axis=1)]
    if far.sum() > 0.5 * table.labelled.sum():
        message = 'annotations have keypoints outside the image, and most points are: are they pixels of these images?'
        return finding('keypoints-outside', ERROR, message, persons)
    return finding('keypoints-outside', WARNING, 'annotations have labelled keypoints outside the image', persons)


def boxes(table: AnnotationTable, context: Context) -> list[Finding]:
    """Every person has a box (x, y, width, height) that meets the image."""
    absent = table.ids[table.box_states == ABSENT]
    if 0 < len(absent) == len(table.ids):
        return file_error('no-boxes', 'no annotation has a "bbox"')
    findings = finding('missing-box', WARNING, 'annotations have no "bbox" and are left out', absent)
    wrong = table.ids[table.box_states == MALFORMED]
    findings += finding('box-form', ERROR, 'boxes are not four numbers x, y, width, height', wrong)
    finite = np.isfinite(table.boxes_xywh).all(axis=1)
    infinite = table.ids[(table.box_states == PRESENT) & ~finite]
    findings += finding('not-finite', ERROR, 'boxes have numbers that are not finite', infinite)
    negative, empty, away, far, out = box_faults(table.boxes_xywh, _sizes(table))
    findings += finding('box-size', ERROR, 'boxes have a negative width or height', table.ids[negative])
    findings += finding('box-size', WARNING, 'boxes have no width or no height and are left out', table.ids[empty])
    findings += finding('box-outside', ERROR, 'boxes lie outside their image', table.ids[away])
    message = 'boxes reach far outside their image, most of all: are they x, y, width, height in pixels?'
    if far.sum() > 0.5 * max(finite.sum(), 1):
        return findings + finding('box-outside', ERROR, message, table.ids[far])
    if finite.any() and table.boxes_xywh[finite].max() <= 1:
        return findings + file_error('box-unit', 'every box is smaller than one pixel: boxes are in pixels, not shares')
    return findings + finding('box-outside', WARNING, 'boxes reach beyond the border of their image', table.ids[out])


def numbers(table: AnnotationTable, context: Context) -> list[Finding]:
    """Areas, crowd flags and counts of labelled keypoints are there and agree."""
    persons = table.is_person
    severity = ERROR if context.is_scored else WARNING
    findings = []
    for key, states in (
        ('area', table.area_states),
        ('num_keypoints', table.num_labelled_states),
        ('iscrowd', table.is_crowd_states),
    ):
        message = f'annotations have no "{key}", which {"COCO AP needs" if context.is_scored else "is derived"}'
        if context.is_scored or key == 'area':
            findings += finding(f'missing-{key}', severity, message, table.ids[states == ABSENT])
        message = f'annotations have an "{key}" that is no number'
        findings += finding(f'{key}-form', ERROR, message, table.ids[states == MALFORMED])
    message = 'areas are not finite'
    unbounded = (table.area_states == PRESENT) & ~np.isfinite(table.areas)
    findings += finding('not-finite', ERROR, message, table.ids[unbounded])
    message = 'persons have an area of zero or less, so that no prediction can match them'
    findings += finding('zero-area', WARNING, message, table.ids[persons & (table.areas <= 0)])
    usable = (table.keypoint_states == PRESENT) & (table.num_labelled_states == PRESENT)
    wrong = table.ids[usable & (table.num_labelled != table.labelled.sum(axis=1))]
    message = 'annotations have a "num_keypoints" that is not the number of their labelled keypoints'
    findings += finding('num-keypoints', WARNING, message, wrong)
    sizes = table.image_sizes_wh
    message = 'images have no positive, finite width and height'
    wrong = table.image_ids[~(np.isfinite(sizes) & (sizes > 0)).all(axis=1)]
    return findings + finding('image-size', ERROR, message, wrong, 'image')


def persons(table: AnnotationTable, context: Context) -> list[Finding]:
    """There is somebody, and for AP somebody of either size."""
    usable = table.is_person & (table.boxes_xywh[:, 2:] > 0).all(axis=1) & (table.image_rows >= 0)
    usable &= ~(table.num_labelled == 0)
    if not usable.any():
        result = 'AP would be -1' if context.is_scored else 'nothing can be learnt'
        return file_error('no-persons', f'no person has a box and a labelled keypoint, so {result}')
    findings = []
    for name, smallest, largest in AREA_RANGES if context.is_scored else ():
        # COCOeval takes both ends of a range
        if not (usable & (table.areas >= smallest) & (table.areas <= largest)).any():
            extent = f'{smallest} to {largest:.0f}' if largest < 1e10 else f'{smallest} or more'
            scores = f'AP {name} and AR {name}'
            message = f'no labelled person has an area of {extent} pixels: {scores} will be -1, which means undefined'
            findings.append(Finding('area-range', WARNING, message))
    return findings


def _sizes(table: AnnotationTable) -> np.ndarray:
    """(N, 2): the size of each annotation's image, NaN where it is unknown."""
    sizes = np.vstack([table.image_sizes_wh, np.full((1, 2), np.nan)])
    return sizes[table.image_rows]


RULES: tuple[Callable[[AnnotationTable, Context], list[Finding]], ...] = (
    keypoints,
    boxes,
    identities,
    categories,
    numbers,
    persons,
)
