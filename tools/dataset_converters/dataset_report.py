"""Everything about a config's data: errors, which stop a training, warnings, which do not, and a report of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from mmengine.config import Config
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dyconv_pose.datasets import rules
from dyconv_pose.datasets.check import Part, dataset_errors, keypoint_names, parts_to_check
from dyconv_pose.datasets.rules import ABSENT, PRESENT, AnnotationTable, Finding, findings_of, number_rows
from dyconv_pose.files import read_json

from .image_check import decoding_findings

#: Pixels by which a box or point may leave the image unnoticed: rounding, and COCO's own.
TOLERANCE = 2.0

#: COCOeval's areas of medium and large persons, pixels squared.
AREA_RANGES = (('(M)', 32**2, 96**2), ('(L)', 96**2, 1e10))


def check_config(
    config: Config,
    splits: Sequence[str] = ('train', 'val', 'test'),
    decode_images: bool = False,
    on_progress: Callable[[str, int], None] | None = None,
) -> list[Finding]:
    """Checks the data of a config.

    Args:
        config: A config as MMPose's tools take it.
        splits: Which of ``'train'``, ``'val'`` and ``'test'``.
        decode_images: Whether to decode every image, which takes minutes where looking for it takes seconds.
        on_progress: Called with the image folder and the number of its images that were decoded.

    Returns:
        What is wrong, errors first within each file. A file that several splits share is checked once. Datasets with a
        format of their own are only looked for.

    Raises:
        FileNotFoundError: A file or folder is missing.
        ValueError: The config names a dataset or metadata that does not exist.
    """
    findings = []
    for part in parts_to_check(config, splits):
        findings += [replace(one, split=part.split) for one in _check(part, decode_images, on_progress)]
    return findings


def _check(part: Part, decode: bool, on_progress: Callable[[str, int], None] | None) -> list[Finding]:
    table, findings = dataset_errors(part)
    if table is None:
        return findings
    annotations, folders, detections = part.paths
    of_file = annotation_warnings(table, keypoint_names(part.dataset), bool(part.coco_metrics()))
    if folders:
        missing = rules.missing_images(table, folders[0], ~part.needed_images(table))
        of_file += [replace(found, severity='warning') for found in missing]
        if not any(found.rule == 'image-size' for found in findings):
            of_file += rules.size_findings(table, folders[0], range(len(table.file_names)), part.is_upright)
        if decode:
            of_file += decoding_findings(folders[0], table, on_progress and partial(on_progress, str(folders[0])))
    findings += [replace(found, file=str(annotations)) for found in of_file]
    if detections:
        findings += [replace(found, file=str(detections)) for found in detection_warnings(detections, table)]
    return sorted(findings, key=lambda found: (found.file != str(annotations), found.severity != 'error'))


def annotation_warnings(table: AnnotationTable, names: Sequence[str], is_scored: bool) -> list[Finding]:
    """What MMPose and the COCO evaluation tolerate or leave out, and is seldom meant."""
    broken = chain(
        _value_warnings(table), _outside_warnings(table), _category_warnings(table, names, is_scored),
        _scored_warnings(table) if is_scored else _area_warnings(table),
    )  # fmt: skip
    return findings_of(broken, 'warning')


def _value_warnings(table: AnnotationTable) -> Iterator[tuple]:
    points, area = table.numbers['keypoints'], table.numbers['area']
    for key in ('keypoints', 'bbox'):
        absent = table.ids[table.states[key] == ABSENT]
        if len(absent) < len(table.ids):  # else it is an error
            yield f'missing-{key}', f'annotations have no "{key}" and are left out', absent
    odd = ((points[..., 2] >= 0) & ~np.isin(points[..., 2], (0, 1, 2))).any(axis=1)
    yield 'visibility', 'annotations have a visibility other than 0, 1, 2', table.ids[odd]
    wrong = (table.states['keypoints'] == PRESENT) & (table.states['num_keypoints'] == PRESENT)
    wrong &= table.numbers['num_keypoints'] != table.labelled.sum(axis=1)
    message = 'annotations have a "num_keypoints" that is not the number of their labelled keypoints'
    yield 'num-keypoints', message, table.ids[wrong]
    message = 'persons have an area of zero or less, so that no prediction can match them'
    yield 'zero-area', message, table.ids[table.is_person & (area <= 0)]


def _area_warnings(table: AnnotationTable) -> Iterator[tuple]:
    yield 'missing-area', 'annotations have no "area", which is derived', table.ids[table.states['area'] == ABSENT]


def _outside_warnings(table: AnnotationTable) -> Iterator[tuple]:
    beyond = table.points_beyond
    far = (beyond > rules.FAR_SHARE * table.sizes_wh[:, None]).any(axis=2)
    if far.sum() <= 0.5 * table.labelled.sum():
        outside = (beyond > TOLERANCE).any(axis=(1, 2))
        yield 'keypoints-outside', 'annotations have labelled keypoints outside the image', table.ids[outside]
    boxes = table.numbers['bbox']
    negative, away, far, beyond = rules.box_faults(boxes, table.sizes_wh)
    empty = ~negative & (boxes[:, 2:] == 0).any(axis=1)
    yield 'box-size', 'boxes have no width or no height and are left out', table.ids[empty]
    if far.sum() <= 0.5 * max(np.isfinite(boxes).all(axis=1).sum(), 1):
        outside = ~away & (beyond > TOLERANCE).any(axis=1)
        yield 'box-outside', 'boxes reach beyond the border of their image', table.ids[outside]


def _category_warnings(table: AnnotationTable, names: Sequence[str], is_scored: bool) -> Iterator[tuple]:
    used = sorted(set(table.category_ids[table.is_person].tolist()))
    if len(used) > 1:
        yield 'category', 'categories have persons, and all are taken for the same one', used, 'category'
    if is_scored and used and rules.PERSON_CATEGORY not in used:
        message = 'category has the persons; detections count as category 1 and would not match them'
        yield 'category', message, used, 'category'
    for message, is_error in rules.name_faults(table, names):
        if not is_error:
            yield 'keypoint-names', message, None


def _scored_warnings(table: AnnotationTable) -> Iterator[tuple]:
    message = 'annotation has the id 0, whose match COCOeval takes for none: number them from 1'
    yield 'id-zero', message, table.ids[table.ids == 0]
    usable, area = table.is_usable, table.numbers['area']
    for name, smallest, largest in AREA_RANGES if usable.any() else ():
        if not (usable & (area >= smallest) & (area <= largest)).any():  # COCOeval takes both ends of a range
            extent = f'{smallest} to {largest:.0f}' if largest < 1e10 else f'{smallest} or more'
            message = f'no labelled person has an area of {extent} pixels: AP {name} and AR {name} will be -1, '
            yield 'area-range', f'{message}which means undefined', None


def detection_warnings(path: Path, table: AnnotationTable) -> list[Finding]:
    """What is tolerated in detector boxes and is seldom meant; nothing where they have errors."""
    if rules.check_detections(path, table):
        return []
    content = read_json(path, 'detections')
    places = np.array([k for k, entry in enumerate(content) if entry['category_id'] == rules.PERSON_CATEGORY])
    boxes, _ = number_rows([content[place]['bbox'][:4] for place in places], 4)
    rows = np.array([table.row_of_image[content[place]['image_id']] for place in places])
    _, away, far, _ = rules.box_faults(boxes, table.image_sizes_wh[rows])
    unseen = table.has_person & ~np.isin(np.arange(len(table.image_ids)), rows)
    outside = 'detections lie far outside their image: are the boxes x, y, width, height in pixels?'
    missed = 'images with persons have no detection, and their persons count as missed'
    return findings_of([
        ('box-size', 'detections have no width or no height', places[(boxes[:, 2:] == 0).any(axis=1)], 'position'),
        ('box-outside', outside, places[away | far], 'position'),
        ('no-detections', missed, table.image_ids[unseen], 'image'),
    ], 'warning')  # fmt: skip


def print_report(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Prints a table of findings for every file, and what follows from them."""
    console = console or Console()
    colours = {'error': 'bold red', 'warning': 'yellow'}
    for split, file in dict.fromkeys((found.split, found.file) for found in findings):
        columns = ('severity', 'rule', 'count', 'what', 'first examples')
        table = Table(*columns, title=f'{split}: {escape(file)}', title_justify='left')
        for found in findings:
            if (found.split, found.file) == (split, file):
                examples = '\n'.join(f'{found.unit} {example}' for example in found.examples)
                severity = f'[{colours[found.severity]}]{found.severity}[/]'
                table.add_row(severity, found.rule, f'{found.count:,}', escape(found.message), escape(examples))
        console.print(table)
    errors = sum(found.severity == 'error' for found in findings)
    if errors:
        warned = len(findings) - errors
        console.print(f'{errors} kinds of error, which stop a training, and {warned} kinds of warning.')
    elif findings:
        console.print(f'No errors; {len(findings)} kinds of warning, which do not stop a training.')
    else:
        console.print('The data keep every rule.')


def write_json(findings: Sequence[Finding], path: str | Path) -> None:
    """Writes the findings as a JSON list."""
    content = [asdict(found) for found in findings]
    Path(path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
