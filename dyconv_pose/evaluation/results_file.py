"""COCO AP of a results file, and which persons it got worst. Shape letters: K keypoints."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from dyconv_pose.datasets.annotations import PRESENT, number_rows, read_annotations
from dyconv_pose.datasets.rules import Context, boxes, identities, keypoints, numbers
from dyconv_pose.files import read_json

from .cocoeval import COCOeval

#: The ten figures of COCO keypoints, in the evaluator's order.
FIGURES = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')


@dataclass
class PersonScore:
    """How well one annotated person was found.

    Attributes:
        annotation: The annotation.
        image: The image's entry in the annotations.
        similarity: Object keypoint similarity with the best result, 0 to 1; 0 where there is none.
        result: That result, or ``None``.
    """

    annotation: dict
    image: dict
    similarity: float
    result: dict | None


class ResultsEvaluation:
    """Scores a results file against annotations, by the official evaluator.

    Args:
        annotations: COCO keypoint annotations.
        results: COCO keypoint results, as ``tools/infer.py`` writes them.
        sigmas: Per-keypoint falloff (K,); by default COCO's, which fit COCO's 17 keypoints alone.

    Attributes:
        figures: The ten figures by name, 0 to 1, or -1 where there is no person of that kind.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is not of its format, or the two do not fit together.
    """

    def __init__(self, annotations: str | Path, results: str | Path, sigmas: tuple[float, ...] | None = None) -> None:
        truth, rows = read_json(annotations, 'annotations'), read_json(results, 'results')
        count = _keypoint_count(truth, annotations)
        _check_truth(truth, count, annotations)
        rows = _checked_results(rows, {image['id'] for image in truth['images']}, count, results)
        if sigmas is None and count != 17:
            raise ValueError(
                f"Annotations of {count} keypoints need their sigmas (COCO's are of 17): name the config (--config)."
            )
        if sigmas is not None and len(sigmas) != count:
            raise ValueError(f'There must be one sigma per keypoint, {count}, got {len(sigmas)}.')
        self._num_keypoints = count
        use_area = all('area' in annotation for annotation in truth['annotations'])
        with contextlib.redirect_stdout(io.StringIO()):
            self.truth = COCO()
            self.truth.dataset = truth
            self.truth.createIndex()
            found = self.truth.loadRes(rows) if rows else COCO()
            self._evaluator = COCOeval(self.truth, found, 'keypoints', sigmas=sigmas, use_area=use_area)
            self._evaluator.params.imgIds = sorted(image['id'] for image in truth['images'])
            self._evaluator.evaluate()
            self._evaluator.accumulate()
            self._evaluator.summarize()
        self.figures = dict(zip(FIGURES, (float(value) for value in self._evaluator.stats), strict=True))

    def persons(self) -> list[PersonScore]:
        """The annotated persons that count (no crowds, at least one labelled keypoint), worst first."""
        scores = []
        for (image_id, category_id), similarities in self._evaluator.ious.items():
            persons = self._evaluator._gts[image_id, category_id]
            # The evaluator has its rows in the order of falling score, and keeps the best 20 of an image.
            found = sorted(self._evaluator._dts[image_id, category_id], key=lambda row: -row['score'])[:20]
            for index, person in enumerate(persons):
                if person.get('iscrowd') or not person.get('num_keypoints', 1):
                    continue
                column = np.asarray(similarities)[:, index] if len(similarities) else np.zeros(0)
                best = int(column.argmax()) if len(column) else None
                scores.append(
                    PersonScore(
                        annotation=person,
                        image=self.truth.imgs[image_id],
                        similarity=0.0 if best is None else float(column[best]),
                        result=None if best is None else found[best],
                    )
                )
        return sorted(scores, key=lambda score: score.similarity)

    def skeleton(self) -> list[tuple[int, int]]:
        """The limbs that the annotations' category states, pairs of keypoint indices from 0."""
        links = self.truth.dataset['categories'][0].get('skeleton') or [] if self.truth.dataset['categories'] else []
        ends = range(1, self._num_keypoints + 1)  # COCO counts from 1
        return [(start - 1, end - 1) for start, end in links if start in ends and end in ends]


#: What the evaluator would fail on, or would get wrong; other findings of the data check are no matter here.
_FATAL = {
    *('json', 'form', 'duplicate-id', 'unknown-image', 'keypoint-count', 'missing-keypoints', 'no-keypoints'),
    *('box-form', 'missing-box', 'no-boxes', 'not-finite', 'area-form', 'num_keypoints-form', 'iscrowd-form'),
}


def _keypoint_count(truth: object, path: str | Path) -> int:
    parts = ('images', 'annotations', 'categories')
    if not isinstance(truth, dict) or any(not isinstance(truth.get(part), list) for part in parts):
        raise ValueError(f'Annotations must be a COCO file with {", ".join(parts)}, "{path}" is not.')
    given = [entry.get('keypoints', ()) if isinstance(entry, dict) else () for entry in truth['annotations']]
    lengths = {len(keypoints) if isinstance(keypoints, list | tuple) else 0 for keypoints in given}
    if len(lengths) != 1 or lengths == {0} or min(lengths) % 3:
        raise ValueError(
            f'Every annotation must have the same number of keypoints, x, y and visibility for each, and in "{path}" '
            f'they have {sorted(lengths)} numbers: is it a person_keypoints file?'
        )
    return lengths.pop() // 3


def _check_truth(truth: dict, count: int, path: str | Path) -> None:
    table, findings = read_annotations(Path(path), count)
    if table is not None:
        context = Context([''] * count, is_scored=False)
        findings = [found for rule in (identities, keypoints, boxes, numbers) for found in rule(table, context)]
    wrong = [found for found in findings if found.rule in _FATAL]
    if wrong:
        raise ValueError(f'Annotations must have the form of COCO\'s, and in "{path}" {wrong[0].sentence}.')
    for category in truth['categories']:
        if not isinstance(category, dict) or not isinstance(category.get('id'), int):
            raise ValueError(f'A category must be a dictionary with an integer "id", in "{path}" one is not.')
        links = category.get('skeleton') or []
        pairs = links if isinstance(links, list) else [links]
        if not all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int) for end in pair) for pair in pairs
        ):
            raise ValueError(f'A skeleton must be pairs of keypoint numbers, in "{path}" one is not.')


def _checked_results(rows: object, image_ids: set[int], count: int, path: str | Path) -> list[dict]:
    """The results without entries by which pycocotools would take them for results of another task."""
    needed = ('image_id', 'category_id', 'keypoints', 'score')
    if not isinstance(rows, list) or not all(
        isinstance(row, dict)
        and all(key in row for key in needed)
        and all(isinstance(row[key], int) for key in needed[:2])
        and isinstance(row['keypoints'], list)
        for row in rows
    ):
        raise ValueError(f'Results must be a list of persons with {", ".join(needed)}, "{path}" is not.')
    unknown = sorted({row['image_id'] for row in rows} - image_ids)
    if unknown:
        raise ValueError(
            f'Every result must be of an annotated image, and "{path}" has {len(unknown)} other image ids (such as '
            f'{unknown[0]}): were the results made with these annotations (infer.py --boxes or --ann-file)?'
        )
    other = {len(row['keypoints']) for row in rows} - {3 * count}
    if other:
        raise ValueError(
            f'Results must have {count} keypoints as the annotations, {3 * count} numbers, and "{path}" has persons '
            f'with {other.pop()}.'
        )
    has_boxes = any('bbox' in row for row in rows)
    for key, width in (('keypoints', 3 * count), ('score', None), *((('bbox', 4),) if has_boxes else ())):
        values, states = number_rows([row.get(key) for row in rows], width)
        if (states != PRESENT).any() or not (np.abs(values) < 1e30).all():
            raise ValueError(f'The "{key}" of every result must be finite numbers, in "{path}" one is not.')
    return [{key: value for key, value in row.items() if key not in ('caption', 'segmentation')} for row in rows]
