"""The rules that a file of detector boxes has to keep."""

from pathlib import Path

import numpy as np

from .annotations import PRESENT, AnnotationTable, number_rows, read_json
from .findings import ERROR, WARNING, Finding, file_error, finding
from .outside import box_faults

#: The category that MMPose takes for persons.
PERSON_CATEGORY = 1


def check_detections(path: Path, table: AnnotationTable) -> list[Finding]:
    """Checks detector boxes against the annotations of the same images.

    Args:
        path: A JSON list of dictionaries with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and
            ``score``.
        table: The annotations.

    Returns:
        What is wrong; examples are positions in the list, from 0.
    """
    content, findings = read_json(path)
    if findings:
        return findings
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        kind = type(content).__name__
        return file_error('form', f'the detector boxes must be a list of dictionaries, the file holds a {kind}')
    for key, kind in (('image_id', int), ('category_id', int), ('bbox', list), ('score', (int, float))):
        wrong = [row for row, entry in enumerate(content) if not isinstance(entry.get(key), kind)]
        findings += finding('form', ERROR, f'detections lack "{key}"', wrong, 'position')
    if findings:
        return findings
    places = [row for row, entry in enumerate(content) if entry['category_id'] == PERSON_CATEGORY]
    if not places:
        return file_error('no-persons', f'no detection is of category {PERSON_CATEGORY}, a person')
    return _box_findings([content[row] for row in places], np.array(places), table)


def _box_findings(entries: list[dict], places: np.ndarray, table: AnnotationTable) -> list[Finding]:
    row_of_image = {image_id: row for row, image_id in enumerate(table.image_ids.tolist())}
    rows = np.array([row_of_image.get(entry['image_id'], -1) for entry in entries])
    message = 'detections are in images that the annotations do not list'
    findings = finding('unknown-image', ERROR, message, places[rows < 0], 'position')
    boxes, states = number_rows([entry['bbox'][:4] for entry in entries], 4)
    present = states == PRESENT
    findings += finding('box-form', ERROR, 'detections have no four numbers as box', places[~present], 'position')
    scores = np.array([entry['score'] for entry in entries], float)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    message = 'detections have a box or score that is not finite'
    findings += finding('not-finite', ERROR, message, places[present & ~finite], 'position')
    sizes = np.vstack([table.image_sizes_wh, np.full((1, 2), np.nan)])[rows]
    negative, empty, away, far, _ = box_faults(boxes, sizes)
    findings += finding('box-size', ERROR, 'detections have a negative width or height', places[negative], 'position')
    findings += finding('box-size', WARNING, 'detections have no width or no height', places[empty], 'position')
    message = 'detections lie far outside their image: are the boxes x, y, width, height in pixels?'
    severity = ERROR if far.sum() > 0.5 * max(finite.sum(), 1) else WARNING
    findings += finding('box-outside', severity, message, places[away | far], 'position')
    without = np.setdiff1d(np.unique(table.image_rows[table.is_person & (table.image_rows >= 0)]), rows)
    message = 'images with persons have no detection, and their persons count as missed'
    return findings + finding('no-detections', WARNING, message, table.image_ids[without], 'image')
