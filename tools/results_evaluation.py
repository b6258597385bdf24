"""COCO AP of a results file. Shape letters: K keypoints."""

import contextlib
import io
from pathlib import Path

import numpy as np

from dyconv_pose.datasets.rules import (
    ABSENT,
    PRESENT,
    AnnotationTable,
    Finding,
    entry_errors,
    findings_of,
    form_errors,
    number_rows,
    value_errors,
)
from dyconv_pose.evaluation.cocoeval import COCO, COCOeval
from dyconv_pose.files import read_json

#: The ten figures of COCO keypoints, in the evaluator's order.
FIGURES = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')

_RESULT = {'image_id': int, 'category_id': int, 'keypoints': list, 'score': (int, float)}


class ResultsEvaluation:
    """Scores a results file against annotations, by the official evaluator.

    Args:
        annotations: COCO keypoint annotations.
        results: COCO keypoint results, as ``tools/infer.py`` writes them.
        sigmas: Per-keypoint falloff (K,); by default COCO's, which fit COCO's 17 keypoints alone.

    Attributes:
        truth, evaluator: The annotations, and the evaluator that has matched the results with them.
        figures: The ten figures by name, 0 to 1, or -1 where there is no person of that kind.
        num_results: How many persons the results have.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is not of its format, or the two do not fit together.
    """

    def __init__(self, annotations: str | Path, results: str | Path, sigmas: tuple[float, ...] | None = None) -> None:
        truth, rows = read_json(annotations, 'annotations'), read_json(results, 'results')
        count = _keypoint_count(truth, annotations)
        table = AnnotationTable(truth, count)
        missing = ('missing-bbox', 'annotations have no "bbox"', table.ids[table.states['bbox'] == ABSENT])
        truth_errors = findings_of([*value_errors(table, is_scored=True, needs_area=False), missing])
        _stop_at(truth_errors, 'annotations', annotations)
        _stop_at(result_errors(rows, table), 'results', results)
        if sigmas is None and count != 17:
            raise ValueError(
                f"Annotations of {count} keypoints need their sigmas (COCO's are of 17): name the config (--config)."
            )
        if sigmas is not None and len(sigmas) != count:
            raise ValueError(f'There must be one sigma per keypoint, {count}, got {len(sigmas)}.')
        self.num_results = len(rows)
        # pycocotools would take rows with further entries for results of another task
        rows = [{key: value for key, value in row.items() if key not in ('caption', 'segmentation')} for row in rows]
        # null is as good as nothing, except to the evaluator
        persons = [{key: value for key, value in one.items() if value is not None} for one in truth['annotations']]
        truth = {**truth, 'annotations': persons}
        use_area = all('area' in one for one in persons)
        with contextlib.redirect_stdout(io.StringIO()):
            self.truth = COCO()
            self.truth.dataset = truth
            self.truth.createIndex()
            found = self.truth.loadRes(rows)
            self.evaluator = COCOeval(self.truth, found, 'keypoints', sigmas=sigmas, use_area=use_area)
            self.evaluator.evaluate()
            self.evaluator.accumulate()
            self.evaluator.summarize()
        self.figures = dict(zip(FIGURES, (float(value) for value in self.evaluator.stats), strict=True))


def result_errors(rows: object, table: AnnotationTable) -> list[Finding]:
    """The errors of COCO keypoint results: ``image_id``, ``category_id``, ``keypoints`` and ``score`` of each."""
    if form := findings_of(entry_errors(rows, 'results', _RESULT)):
        return form
    message = 'results are of other images: were they made with these annotations (infer.py --boxes or --ann-file)?'
    unknown = sorted({row['image_id'] for row in rows} - set(table.image_ids.tolist()))
    rules = [('unknown-image', message, unknown, 'image')]
    used = set(table.category_ids[table.is_person].tolist())
    given = {row['category_id'] for row in rows}
    listed = used | {entry['id'] for entry in table.categories} if used & given else used
    if used and given - listed:
        message = f'results are of category {sorted(given - listed)[:9]}, and the annotated persons of {sorted(used)}'
        places = [place for place, row in enumerate(rows) if row['category_id'] not in listed]
        rules.append(('category', f'{message}, so that they would not count: renumber the results', places, 'position'))
    lengths = {'keypoints': 3 * table.labelled.shape[1], 'score': 1}
    for key, length in (lengths | ({'bbox': 4} if any('bbox' in row for row in rows) else {})).items():
        values = [[row['score']] if key == 'score' else row.get(key) for row in rows]
        wrong = np.flatnonzero(number_rows(values, length)[1] != PRESENT)
        rules.append((f'{key}-form', f'results do not have {length} finite numbers as "{key}"', wrong, 'position'))
    return findings_of(rules)


def _stop_at(errors: list[Finding], kind: str, path: str | Path) -> None:
    if errors:
        raise ValueError(f'The {kind} must be of COCO\'s form, and in "{path}" {errors[0].sentence}.')


def _keypoint_count(truth: object, path: str | Path) -> int:
    _stop_at(form_errors(truth), 'annotations', path)
    given = [entry.get('keypoints', ()) for entry in truth['annotations']]
    lengths = {len(keypoints) if isinstance(keypoints, list) else 0 for keypoints in given}
    if len(lengths) != 1 or lengths == {0} or min(lengths) % 3:
        raise ValueError(
            f'Every annotation must have the same number of keypoints, x, y and visibility for each, and in "{path}" '
            f'they have {sorted(lengths)} numbers: is it a person_keypoints file?'
        )
    return lengths.pop() // 3
