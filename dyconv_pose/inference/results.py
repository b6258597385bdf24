"""What pose estimation takes and gives. Letters: N persons, K keypoints, H and W of the image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Image:
    """A decoded image and where it comes from."""

    pixels: np.ndarray  # (H, W, 3) uint8, channels blue, green, red
    name: str = ''  # its file name, with or without folders, by which boxes in a file are looked up
    image_id: int | None = None  # its id in a COCO dataset, where it has one

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class KeypointSet:
    """The K keypoints of a dataset; plain values, so that a file can carry it."""

    names: tuple[str, ...]
    flip_indices: tuple[int, ...]  # for each keypoint the index of its mirror image (its own, where it has none)
    skeleton: tuple[tuple[int, int], ...]  # the limbs, pairs of keypoint indices
    keypoint_colors: tuple[tuple[int, int, int], ...]  # red, green, blue, 0 to 255
    limb_colors: tuple[tuple[int, int, int], ...]
    sigmas: tuple[float, ...] = ()  # how far annotators disagree, in COCO's unit; empty if the dataset states none
    dataset: str = ''

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class Boxes:
    """Where the persons of one image are."""

    xyxy: np.ndarray  # (N, 4) float32, left, top, right and bottom in pixels
    scores: np.ndarray  # (N,) float32, the detector's confidence, or ones
    are_doubtful: bool = False  # whether a detector made them, which may take anything for a person

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def of(cls, boxes: 'Boxes | np.ndarray | Sequence[Sequence[float]]') -> 'Boxes':
        """Makes boxes from (N, 4) numbers xyxy, or (N, 5) with the score last; a ValueError for another shape."""
        if isinstance(boxes, Boxes):
            return boxes
        array = np.asarray(boxes, dtype=np.float32)
        array = array if array.size else array.reshape(0, 4)
        if array.ndim != 2 or array.shape[1] not in (4, 5):
            raise ValueError(
                f'Boxes must have shape (N, 4), as left, top, right, bottom in pixels, or (N, 5) with a score, '
                f'got shape {array.shape}.'
            )
        scores = array[:, 4] if array.shape[1] == 5 else np.ones(len(array), dtype=np.float32)
        return cls(np.ascontiguousarray(array[:, :4]), scores.copy())

    def check(self, image: Image) -> None:
        """Raises a ValueError where a box is empty, not finite, or wholly outside the image."""
        width, height = image.size_wh
        where = f' of "{image.name}"' if image.name else ''
        for left, top, right, bottom in self.xyxy.tolist():
            if not np.isfinite([left, top, right, bottom]).all() or right <= left or bottom <= top:
                rule = 'be left, top, right, bottom with right > left and bottom > top'
                hint = 'boxes given as x, y, width, height must be converted.'
            elif right <= 0 or bottom <= 0 or left >= width or top >= height:
                rule = f'overlap the image of {width}x{height} pixels'
                hint = 'were the boxes made for an image of another size?'
            else:
                continue
            raise ValueError(f'A box{where} must {rule}, got ({left:g}, {top:g}, {right:g}, {bottom:g}): {hint}')


@dataclass
class Poses:
    """The persons found in one image."""

    keypoints: np.ndarray  # (N, K, 2) float32, x and y in pixels of the image
    scores: np.ndarray  # (N, K) float32, the heatmap's value at the keypoint, nominally 0 to 1
    boxes: np.ndarray  # (N, 4) float32, xyxy in pixels
    box_scores: np.ndarray  # (N,) float32, as the detector gave them
    regions: np.ndarray = field(repr=False)  # (N, 4) float32 xyxy, what the network saw
    heatmaps: np.ndarray | None = field(default=None, repr=False)  # (N, K, h, w) float32 over the regions, if asked for

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, chosen: np.ndarray | Sequence[int] | slice) -> 'Poses':
        return Poses(*(None if part is None else part[chosen] for part in vars(self).values()))

    def person_scores(self, keypoint_threshold: float = 0.2) -> np.ndarray:
        """(N,) float32: the box's score times the mean score of the confident keypoints, as MMPose ranks persons."""
        confident = self.scores > keypoint_threshold
        total = np.where(confident, self.scores, 0).sum(axis=1)
        return (self.box_scores * total / np.maximum(confident.sum(axis=1), 1)).astype(np.float32)


def confidences(scores: np.ndarray) -> np.ndarray:
    """How sure it is that persons are there, (N,), by their keypoints' scores (N, K): the mean of the better half."""
    return np.sort(scores, axis=1)[:, -max(scores.shape[1] // 2, 1) :].mean(axis=1)


def box_of_keypoints(
    keypoints: np.ndarray, scores: np.ndarray, size_wh: tuple[int, int], least_wh: np.ndarray | float = 0.0
) -> np.ndarray | None:
    """The box (4,) xyxy about a person's (K, 2) confident keypoints, within the image; None if they are too few."""
    seen = keypoints[scores > 0.3]
    if len(seen) < max(len(scores) // 4, 2):
        return None
    low, high = seen.min(axis=0), seen.max(axis=0)
    center, margin = (low + high) / 2, 0.1 * (high - low).max()  # joints lie inside the body
    half = np.maximum((high - low) / 2 + margin, np.asarray(least_wh) / 2)
    box = np.clip(np.concatenate([center - half, center + half]), 0, [*size_wh] * 2)
    return box if (box[2:] - box[:2]).min() >= 1 else None


def without_duplicates(poses: Poses, sigmas: Sequence[float], threshold: float = 0.9) -> Poses:
    """The persons, best first, whose pose does not nearly equal that of a better one, as MMPose's CocoMetric does it.

    Two are one if their object keypoint similarity, 0 to 1, with sigmas (K,) is above the threshold; never without.
    """
    if len(poses) < 2 or not len(sigmas) or threshold >= 1:
        return poses
    areas = np.prod(poses.regions[:, 2:] - poses.regions[:, :2], axis=1)
    variances = (2 * np.asarray(sigmas)) ** 2
    order, kept = np.argsort(-poses.person_scores(), kind='stable'), []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        squared = ((poses.keypoints[rest] - poses.keypoints[best]) ** 2).sum(axis=2)
        mean_areas = ((areas[best] + areas[rest]) / 2 + np.spacing(1))[:, None]
        order = rest[np.exp(-squared / variances / mean_areas / 2).mean(axis=1) <= threshold]
    return poses[kept]


def coco_results(poses: Poses, image_id: int, category_id: int = 1, **extra: object) -> list[dict]:
    """The persons of one image in COCO's results format, with ``extra`` entries, which evaluators ignore."""
    rows, scores = [], poses.person_scores().tolist()
    flat = np.dstack([poses.keypoints, poses.scores]).reshape(len(poses), 3 * poses.scores.shape[1])
    for keypoints, (left, top, right, bottom), score in zip(flat.tolist(), poses.boxes.tolist(), scores, strict=True):
        row = dict(image_id=image_id, category_id=category_id, keypoints=[round(number, 4) for number in keypoints])
        bbox = [round(number, 3) for number in (left, top, right - left, bottom - top)]
        rows.append({**row, 'score': round(score, 7), 'bbox': bbox, **extra})
    return rows
