"""COCO AP of a results file, and which persons it got worst. Shape letters: K keypoints."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dyconv_pose.datasets.annotations import AnnotationTable, Finding, form_errors
from dyconv_pose.datasets.rules import result_errors, truth_errors
from dyconv_pose.files import read_json

from .cocoeval import COCO, COCOeval

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
        _stop_at(truth_errors(AnnotationTable(truth, count)), 'annotations', annotations)
        _stop_at(result_errors(rows, {image['id'] for image in truth['images']}, count), 'results', results)
        if sigmas is None and count != 17:
            raise ValueError(
                f"Annotations of {count} keypoints need their sigmas (COCO's are of 17): name the config (--config)."
            )
        if sigmas is not None and len(sigmas) != count:
            raise ValueError(f'There must be one sigma per keypoint, {count}, got {len(sigmas)}.')
        # pycocotools would take rows with further entries for results of another task
        rows = [{key: value for key, value in row.items() if key not in ('caption', 'segmentation')} for row in rows]
        use_area = all('area' in annotation for annotation in truth['annotations'])
        with contextlib.redirect_stdout(io.StringIO()):
            self.truth = COCO()
            self.truth.dataset = truth
            self.truth.createIndex()
            found = self.truth.loadRes(rows)
            self._evaluator = COCOeval(self.truth, found, 'keypoints', sigmas=sigmas, use_area=use_area)
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
                similarity, result = (0.0, None) if best is None else (float(column[best]), found[best])
                scores.append(PersonScore(person, self.truth.imgs[image_id], similarity, result))
        return sorted(scores, key=lambda score: score.similarity)

    def skeleton(self) -> list[tuple[int, int]]:
        """The limbs that the annotations' category states, pairs of keypoint indices from 0."""
        categories = self.truth.dataset['categories']
        links = categories[0].get('skeleton') or [] if categories else []
        count = len(self.truth.dataset['annotations'][0]['keypoints']) // 3
        return [(start - 1, end - 1) for start, end in links if {start, end} <= set(range(1, count + 1))]


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
