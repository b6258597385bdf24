"""Where the persons of a picture are: one small interface, and its simplest answers."""

from typing import Protocol

import cv2
import numpy as np

from .types import Boxes, Picture, Poses


class PersonSource(Protocol):
    """Finds the persons of a picture."""

    def find(self, picture: Picture) -> Boxes:
        """The persons' boxes; none where nobody is."""
        ...


class WholePicture:
    """Takes the whole picture for one person."""

    def find(self, picture: Picture) -> Boxes:
        """One box, the picture's border."""
        return Boxes.of([[0, 0, *picture.size_wh]])


class Fallback:
    """Asks a detector, and takes the whole picture where that finds nobody.

    Args:
        detector: Whom to ask first.

    Attributes:
        fell_back: How many pictures were taken whole, to be said to the user.
    """

    def __init__(self, detector: PersonSource) -> None:
        self.detector, self.fell_back = detector, 0

    def find(self, picture: Picture) -> Boxes:
        """The detector's boxes, or the picture's border."""
        boxes = self.detector.find(picture)
        if len(boxes):
            return boxes
        self.fell_back += 1
        return WholePicture().find(picture)


class HogPersons:
    """OpenCV's built-in detector of standing people (histograms of oriented gradients), which needs no download.

    It finds upright, fully visible people about 100 pixels high or more; for others give boxes or a better detector.

    Args:
        longest_side: Larger pictures are searched at this size, in pixels.
        threshold: Detections that score less, 0 to 1, are dropped.

    Raises:
        ImportError: This OpenCV has no such detector.
    """

    def __init__(self, longest_side: int = 800, threshold: float = 0.5) -> None:
        if not hasattr(cv2, 'HOGDescriptor'):
            raise ImportError(
                f'OpenCV {cv2.__version__} has no HOG person detector: install opencv-python 4, or give boxes.'
            )
        self.longest_side, self.threshold = longest_side, threshold
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def find(self, picture: Picture) -> Boxes:
        """The boxes of standing people."""
        width, height = picture.size_wh
        scale = min(self.longest_side / max(width, height), 1.0)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        if size[0] < 64 or size[1] < 128:  # the detector's window
            return Boxes.of([])
        small = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture.image
        found, margins = self._hog.detectMultiScale(small, winStride=(8, 8), padding=(16, 16), scale=1.05)
        if not len(found):
            return Boxes.of([])
        scores = 1 / (1 + np.exp(-np.asarray(margins, dtype=np.float32).reshape(-1)))
        boxes = np.asarray(found, dtype=np.float32)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.threshold, 0.4)
        boxes, scores = boxes[kept].reshape(-1, 4), scores[kept].reshape(-1)
        # The window has a margin about the person, in all an eighth of its height and a quarter of its width.
        x, y, w, h = boxes.T
        xyxy = np.stack([x + w * 0.125, y + h * 0.0625, x + w * 0.875, y + h * 0.9375], axis=1) / scale
        return Boxes.of(np.concatenate([np.clip(xyxy, 0, [width, height] * 2), scores[:, None]], axis=1))


class Following:
    """Detects on every n-th frame of a video and in between follows the persons by their own keypoints.

    Args:
        detector: Finds the persons on every n-th frame.
        every: n.
        threshold: Keypoints that score less do not say where a person is.

    Raises:
        ValueError: ``every`` is not positive.
    """

    def __init__(self, detector: PersonSource, every: int, threshold: float = 0.3) -> None:
        if every < 1:
            raise ValueError(f'The detector must run every n-th frame with n at least 1, got {every}.')
        self.detector, self.every, self.threshold = detector, every, threshold
        self._frame, self._next = 0, Boxes.of([])

    def find(self, picture: Picture) -> Boxes:
        """Detected boxes on the n-th frames and when everybody was lost, else those left by :meth:`follow`."""
        due = self._frame % self.every == 0 or not len(self._next)
        self._frame += 1
        return self.detector.find(picture) if due else self._next

    def follow(self, poses: Poses, size_wh: tuple[int, int]) -> None:
        """Notes where the persons are, for the next frame. A person with few confident keypoints is lost.

        Args:
            poses: The persons of this frame.
            size_wh: The frame's width and height.
        """
        rows = []
        for keypoints, scores, box, box_score in zip(
            poses.keypoints, poses.scores, poses.boxes, poses.box_scores, strict=True
        ):
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
                rows.append([*xyxy, box_score])
        self._next = Boxes.of(rows)
