"""Pose estimation on pictures: the interface that every runtime shares."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .keypoint_set import KeypointSet
from .persons import PersonSource
from .pictures import as_picture
from .topdown import PersonStage, Sample
from .types import Boxes, Picture, Poses

#: Pictures wait for a full batch only until they hold so many pixels, so that large ones do not fill the memory.
_WAITING_PIXELS = 100_000_000


@dataclass
class _Waiting:
    """A picture whose persons are in, or on their way to, the network."""

    picture: Picture
    boxes: Boxes
    tag: Any
    samples: list[Sample]
    keypoints: list[np.ndarray]
    scores: list[np.ndarray]
    heatmaps: list[np.ndarray]


class PoseEstimator:
    """Finds the keypoints of persons in pictures.

    Persons of many pictures go through the network together. The batch size changes the speed and the memory, never
    the result (beyond the last bits of floating point).

    Args:
        stage: Crop, network and decoding; :func:`dyconv_pose.apis.load_estimator` makes one of a checkpoint.
        keypoint_set: Names, skeleton and colours.
        persons: Where persons are looked for when a call brings no boxes.
        batch_size: How many persons go through the network at once.
        keep_heatmaps: Whether the results carry the heatmaps.

    Raises:
        ValueError: The batch size is not positive.
    """

    def __init__(
        self,
        stage: PersonStage,
        keypoint_set: KeypointSet,
        persons: PersonSource,
        batch_size: int = 16,
        keep_heatmaps: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'The batch size must be at least 1, got {batch_size}.')
        self.stage, self.keypoint_set, self.persons = stage, keypoint_set, persons
        self.batch_size, self.keep_heatmaps = batch_size, keep_heatmaps

    def predict(self, picture: object, boxes: object = None, channel_order: str | None = None) -> Poses:
        """Finds the keypoints in one picture.

        Args:
            picture: A path, an array (height, width, 3) uint8, or a PIL image.
            boxes: The persons, (N, 4) xyxy in pixels, (N, 5) with scores, or :class:`Boxes`. ``None`` asks the
                estimator's person source.
            channel_order: ``'bgr'`` or ``'rgb'``; needed for an array.

        Returns:
            The persons, in the boxes' order.

        Raises:
            FileNotFoundError: The picture does not exist.
            ValueError: It cannot be read, or a box is empty or outside it.
        """
        return next(self.predict_many([picture], None if boxes is None else [boxes], channel_order))

    def predict_many(
        self, pictures: Iterable, boxes: Iterable | None = None, channel_order: str | None = None
    ) -> Iterator[Poses]:
        """Finds the keypoints in many pictures, which are read as the results are asked for.

        Args:
            pictures: As in :meth:`predict`.
            boxes: For each picture, as in :meth:`predict`.
            channel_order: As in :meth:`predict`, of all arrays.

        Yields:
            The persons of each picture, in the pictures' order.

        Raises:
            FileNotFoundError: As in :meth:`predict`.
            ValueError: As in :meth:`predict`, or there are not as many entries in ``boxes`` as pictures.
        """

        def inputs() -> Iterator[tuple[Picture, Boxes, None]]:
            pairs = ((picture, None) for picture in pictures) if boxes is None else zip(pictures, boxes, strict=True)
            for source, given in pairs:
                name = str(source) if isinstance(source, (str, Path)) else ''
                picture = Picture(as_picture(source, channel_order), name)
                yield picture, self.persons.find(picture) if given is None else Boxes.of(given), None

        for _, poses, _ in self.stream(inputs()):
            yield poses

    def stream(
        self,
        inputs: Iterable[tuple[Picture, Boxes, Any]],
        on_batch: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[Picture, Poses, Any]]:
        """Estimates a stream of decoded pictures, batching persons across them.

        Args:
            inputs: Each picture, its boxes, and anything to get back with the result.
            on_batch: Called after each run of the network with its number of persons.

        Yields:
            The picture, its persons and what came with it, in the order of the inputs.

        Raises:
            ValueError: A box is empty or outside its picture.
        """
        waiting: deque[_Waiting] = deque()
        queue: deque[tuple[_Waiting, Sample]] = deque()
        for picture, boxes, tag in inputs:
            boxes.check(picture)
            entry = _Waiting(picture, boxes, tag, self.stage.prepare(picture.image, boxes.xyxy), [], [], [])
            waiting.append(entry)
            queue.extend((entry, sample) for sample in entry.samples)
            held = sum(one.picture.image.shape[0] * one.picture.image.shape[1] for one in waiting)
            while len(queue) >= self.batch_size or (queue and held > _WAITING_PIXELS):
                self._run_batch(queue, on_batch)
            yield from self._finished(waiting)
        while queue:
            self._run_batch(queue, on_batch)
            yield from self._finished(waiting)
        yield from self._finished(waiting)

    def _run_batch(self, queue: deque[tuple[_Waiting, Sample]], on_batch: Callable[[int], None] | None) -> None:
        chosen = [queue.popleft() for _ in range(min(self.batch_size, len(queue)))]
        estimate = self.stage.estimate([sample for _, sample in chosen])
        for index, (entry, _) in enumerate(chosen):
            entry.keypoints.append(estimate.keypoints[index])
            entry.scores.append(estimate.scores[index])
            if self.keep_heatmaps and estimate.heatmaps is not None:
                entry.heatmaps.append(estimate.heatmaps[index])
        if on_batch is not None:
            on_batch(len(chosen))

    def _finished(self, waiting: deque[_Waiting]) -> Iterator[tuple[Picture, Poses, Any]]:
        while waiting and len(waiting[0].keypoints) == len(waiting[0].boxes):
            entry = waiting.popleft()
            yield entry.picture, self._poses(entry), entry.tag

    def _poses(self, entry: _Waiting) -> Poses:
        count = len(self.keypoint_set)
        regions = np.array([sample.region for sample in entry.samples], dtype=np.float32).reshape(-1, 4)
        corners = np.concatenate([regions[:, :2] - regions[:, 2:] / 2, regions[:, :2] + regions[:, 2:] / 2], axis=1)
        return Poses(
            keypoints=np.array(entry.keypoints, dtype=np.float32).reshape(-1, count, 2),
            scores=np.array(entry.scores, dtype=np.float32).reshape(-1, count),
            boxes=entry.boxes.xyxy,
            box_scores=entry.boxes.scores,
            regions=corners,
            heatmaps=np.stack(entry.heatmaps) if entry.heatmaps else None,
        )
