"""Tracking of a video's persons by their keypoints, between the frames on which the detector runs."""

import numpy as np

from .predictor import Detector
from .results import Boxes, Image, Poses


class Tracker:
    """A detector that runs another one on every n-th frame, ``every``, and tracks the persons in between.

    Keypoints that score no more than ``threshold`` do not say where a person is.
    """

    def __init__(self, detector: Detector, every: int, threshold: float = 0.3) -> None:
        if every < 1:
            raise ValueError(f'The detector must run every n-th frame with n at least 1, got {every}.')
        self.detector, self.every, self.threshold = detector, every, threshold
        self.restart()

    def restart(self) -> None:
        """Forgets everybody, for another video."""
        self._frame, self._next = 0, Boxes.of([])

    def find(self, image: Image) -> Boxes:
        """Detected boxes on the n-th frames and when everybody was lost, else those left by :meth:`update`."""
        is_due = self._frame % self.every == 0 or not len(self._next)
        self._frame += 1
        return self.detector.find(image) if is_due else self._next

    def update(self, poses: Poses, size_wh: tuple[int, int]) -> None:
        """Notes where the persons of a frame are, for the next one. A person with few confident keypoints is lost."""
        rows = []
        persons = zip(poses.keypoints, poses.scores, poses.boxes, poses.box_scores, strict=True)
        for keypoints, scores, box, score in persons:
            seen = keypoints[scores > self.threshold]
            if len(seen) < max(len(scores) // 4, 2):
                continue
            low, high = seen.min(axis=0), seen.max(axis=0)
            margin = 0.1 * (high - low).max()  # joints lie inside the body
            # Unseen joints must not shrink a person to a hand: a side keeps 0.9 of its length from frame to frame.
            half = np.maximum((high - low) / 2 + margin, 0.45 * (box[2:] - box[:2]))
            center = (low + high) / 2
            xyxy = np.clip(np.concatenate([center - half, center + half]), 0, [*size_wh] * 2)
            if (xyxy[2:] - xyxy[:2]).min() >= 1:
                rows.append([*xyxy, score])
        self._next = Boxes.of(rows)
