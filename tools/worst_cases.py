"""Images of the persons that a network got worst: what was annotated beside what was found."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from inference_files import write_image
from results_evaluation import ResultsEvaluation

from dyconv_pose.inference import read_image

_ANNOTATED, _FOUND, _ERROR = (80, 220, 80), (60, 80, 255), (255, 255, 255)
_SIDE = 480


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


def persons_of(evaluation: ResultsEvaluation) -> list[PersonScore]:
    """The annotated persons that count (no crowds, at least one labelled keypoint), worst first."""
    scores = []
    for (image_id, category_id), similarities in evaluation.evaluator.ious.items():
        persons = evaluation.evaluator._gts[image_id, category_id]
        # The evaluator has its rows in the order of falling score, and keeps the best 20 of an image.
        found = sorted(evaluation.evaluator._dts[image_id, category_id], key=lambda row: -row['score'])[:20]
        for index, person in enumerate(persons):
            if person.get('iscrowd') or not person.get('num_keypoints', 1):
                continue
            column = np.asarray(similarities)[:, index] if len(similarities) else np.zeros(0)
            best = int(column.argmax()) if len(column) else None
            similarity, result = (0.0, None) if best is None else (float(column[best]), found[best])
            scores.append(PersonScore(person, evaluation.truth.imgs[image_id], similarity, result))
    return sorted(scores, key=lambda score: score.similarity)


def skeleton_of(evaluation: ResultsEvaluation) -> list[tuple[int, int]]:
    """The limbs that the annotations' category states, pairs of keypoint indices from 0."""
    categories = evaluation.truth.dataset['categories']
    links = categories[0].get('skeleton') if categories else []
    numbers = range(1, len(evaluation.truth.dataset['annotations'][0]['keypoints']) // 3 + 1)
    pairs = [link for link in links if isinstance(link, list) and len(link) == 2] if isinstance(links, list) else []
    return [(int(start) - 1, int(end) - 1) for start, end in pairs if start in numbers and end in numbers]


def draw_worst(
    worst: list[PersonScore], skeleton: list[tuple[int, int]], images: str | Path, out_dir: str | Path
) -> list[Path]:
    """Writes one image per person, the annotation in green on the left and the result in red on the right.

    Args:
        worst: The persons, worst first.
        skeleton: Pairs of keypoint indices.
        images: The folder with the dataset's images.
        out_dir: Where the images go; their names begin with the rank.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: An image does not exist.
        ValueError: An image cannot be read or written.
    """
    written = []
    for rank, score in enumerate(worst, start=1):
        image = read_image(Path(images) / score.image['file_name'])
        if (size := [score.image['width'], score.image['height']]) != [*image.shape[1::-1]]:
            name = score.image['file_name']
            raise ValueError(f'The image "{name}" must have the annotated size {size}, got {[*image.shape[1::-1]]}.')
        name = f'{rank:03d}_oks{score.similarity:.2f}_{Path(score.image["file_name"]).stem}_{score.annotation["id"]}'
        path = Path(out_dir) / f'{name}.jpg'
        write_image(path, _pair(image, score, skeleton))
        written.append(path)
    return written


def _pair(image: np.ndarray, score: PersonScore, skeleton: list[tuple[int, int]]) -> np.ndarray:
    """The person twice side by side, enlarged: annotated, and found with lines to where the joints are."""
    truth = np.asarray(score.annotation['keypoints'], dtype=np.float32).reshape(-1, 3)
    labelled = truth[:, 2] > 0
    found = None if score.result is None else np.asarray(score.result['keypoints'], dtype=np.float32).reshape(-1, 3)
    corner, scale, view = _view(image, score.annotation['bbox'])

    def on_view(points: np.ndarray) -> list[tuple[int, int]]:
        return [(int(x), int(y)) for x, y in np.clip((points[:, :2] - corner) * scale, -1e5, 1e5)]

    left, right = view.copy(), view.copy()
    _skeleton(left, on_view(truth), labelled, skeleton, _ANNOTATED)
    if found is not None:
        _skeleton(right, on_view(found), labelled, skeleton, _FOUND)
        for start, end, shown in zip(on_view(found), on_view(truth), labelled, strict=True):
            if shown:
                cv2.line(right, start, end, _ERROR, 1, cv2.LINE_AA)
    _caption(left, 'annotated', _ANNOTATED)
    _caption(right, 'nothing found' if found is None else f'found, similarity {score.similarity:.2f}', _FOUND)
    return np.hstack([left, right])


def _view(image: np.ndarray, bbox: list[float]) -> tuple[np.ndarray, float, np.ndarray]:
    """The surroundings of a box (xywh), as a square of fixed size: its corner in the image, scale and pixels."""
    x, y, width, height = bbox
    side = max(width, height, 16) * 1.4
    corner = np.array([x + width / 2 - side / 2, y + height / 2 - side / 2])
    scale = _SIDE / side
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    return corner, scale, cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)


def _skeleton(
    canvas: np.ndarray,
    points: list[tuple[int, int]],
    shown: np.ndarray,
    skeleton: list[tuple[int, int]],
    color: tuple[int, int, int],
) -> None:
    for start, end in skeleton:
        if shown[start] and shown[end]:
            cv2.line(canvas, points[start], points[end], color, 2, cv2.LINE_AA)
    for point, visible in zip(points, shown, strict=True):
        if visible:
            cv2.circle(canvas, point, 4, color, -1, cv2.LINE_AA)


def _caption(canvas: np.ndarray, text: str, color: tuple[int, int, int]) -> None:
    cv2.rectangle(canvas, (0, 0), (canvas.shape[1], 26), (0, 0, 0), -1)
    cv2.putText(canvas, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.55, color, 1, cv2.LINE_AA)
