"""Results in COCO's format, and the suppression of persons that were found twice."""

import json
from pathlib import Path

import numpy as np

from .types import Poses


def keypoint_similarity(
    keypoints: np.ndarray, others: np.ndarray, area: float, other_areas: np.ndarray, sigmas: np.ndarray
) -> np.ndarray:
    """COCO's object keypoint similarity of one person with others, over all keypoints.

    Args:
        keypoints: (K, 2) in pixels.
        others: (N, K, 2).
        area: The person's, in pixels squared.
        other_areas: (N,).
        sigmas: (K,).

    Returns:
        (N,), 1 for equal poses.
    """
    squared = ((others - keypoints) ** 2).sum(axis=2)  # (N, K)
    variances = (2 * np.asarray(sigmas)) ** 2
    mean_area = ((area + np.asarray(other_areas)) / 2 + np.spacing(1))[:, None]
    return np.exp(-squared / variances / mean_area / 2).mean(axis=1)


def without_duplicates(poses: Poses, sigmas: tuple[float, ...], threshold: float = 0.9) -> Poses:
    """Drops persons whose pose nearly equals that of one who scores higher, as MMPose's CocoMetric does.

    Args:
        poses: The persons of one picture.
        sigmas: The keypoints' falloff; without any nobody is dropped.
        threshold: The similarity above which two are one; 1 drops nobody.

    Returns:
        Those who stay, best first.
    """
    if len(poses) < 2 or not len(sigmas) or threshold >= 1:
        return poses
    sizes = poses.regions[:, 2:] - poses.regions[:, :2]
    areas = sizes[:, 0] * sizes[:, 1]
    order, kept = np.argsort(-poses.person_scores(), kind='stable'), []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        similar = keypoint_similarity(
            poses.keypoints[best], poses.keypoints[rest], areas[best], areas[rest], np.asarray(sigmas)
        )
        order = rest[similar <= threshold]
    return poses[kept]


def coco_results(poses: Poses, image_id: int, category_id: int = 1, **extra: object) -> list[dict]:
    """The persons of one picture as COCO's results format has them.

    Args:
        poses: The persons.
        image_id: The picture's id.
        category_id: The persons' category.
        **extra: Further entries of each person, such as ``file_name``; evaluators ignore them.

    Returns:
        One dictionary per person: image_id, category_id, keypoints (x, y, score for each), score, bbox (xywh).
    """
    rows = []
    flat = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2).reshape(
        len(poses), 3 * poses.scores.shape[1]
    )
    for keypoints, box, score in zip(flat.tolist(), poses.boxes.tolist(), poses.person_scores().tolist(), strict=True):
        left, top, right, bottom = box
        rows.append(
            {
                'image_id': image_id,
                'category_id': category_id,
                'keypoints': [round(number, 4) for number in keypoints],
                'score': round(score, 7),
                'bbox': [round(number, 3) for number in (left, top, right - left, bottom - top)],
                **extra,
            }
        )
    return rows


def write_results(path: str | Path, rows: list[dict]) -> None:
    """Writes results, whole or not at all, one person to a line.

    Raises:
        ValueError: The file cannot be written.
    """
    path = Path(path)
    text = '[\n' + ',\n'.join(json.dumps(row, ensure_ascii=False) for row in rows) + '\n]\n'
    partial = path.with_name(path.name + '.partial')
    try:
        partial.write_text(text, encoding='utf-8')
        partial.replace(path)
    except OSError as error:
        raise ValueError(f'The results cannot be written to "{path}": {error.strerror}.') from error
