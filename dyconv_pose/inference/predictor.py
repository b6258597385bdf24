"""Pose estimation on images around a network of any runtime.

Letters: N persons, B batch, K keypoints, H and W of the network's input, h and w of the heatmaps.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .images import as_image
from .preprocessing import (
    TopdownSpec,
    average_with_flipped,
    crop,
    decode,
    decode_simcc,
    normalize,
    regions_of_boxes,
    to_image,
)
from .results import Boxes, Image, KeypointSet, Poses

#: Images wait for a full batch only until they hold so many pixels, so that large ones do not fill the memory.
_WAITING_PIXELS = 100_000_000


class Detector(Protocol):
    """Finds the persons of an image."""

    def find(self, image: Image) -> Boxes:
        """The persons' boxes; none where nobody is."""
        ...


class HeatmapModel:
    """A network with its preprocessing and decoding, those of MMPose's MSRAHeatmap and SimCCLabel codecs.

    ``network`` maps (B, 3, H, W) float32, in any runtime, to heatmaps (B, K, h, w) float32 or, where the spec has a
    ``simcc_size_wh``, to the vectors of x and y, one after the other, (B, K, w + h).
    """

    def __init__(self, network: Callable, spec: TopdownSpec, keypoint_set: KeypointSet) -> None:
        self.network, self.spec, self.keypoint_set = network, spec, keypoint_set

    def prepare(self, pixels: np.ndarray, boxes_xyxy: np.ndarray) -> tuple[list[tuple], np.ndarray]:
        """Crops the persons (N, 4) out of an image (height, width, 3) uint8, blue first.

        Returns:
            N samples for :meth:`estimate` (here crop and region), and the regions (N, 4) float32: centre x and y, width
            and height in pixels.
        """
        size = self.spec.input_size_wh
        regions = regions_of_boxes(boxes_xyxy, size, self.spec.padding)
        return [(crop(pixels, region, size), region) for region in regions], regions

    def estimate(self, samples: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Gives the keypoints (B, K, 2) in pixels of the images, scores (B, K) and heatmaps, if any, of samples."""
        crops, regions = map(np.stack, zip(*samples, strict=True))
        batch, indices, size = normalize(crops, self.spec), self.keypoint_set.flip_indices, self.spec.simcc_size_wh
        heatmaps = self.network(batch)
        flipped = self.network(np.ascontiguousarray(batch[..., ::-1])) if self.spec.flip_test else None
        if size is not None:
            keypoints, scores = decode_simcc(heatmaps, flipped, indices, size[0])
            return to_image(keypoints, size, regions), scores, None
        if flipped is not None:
            heatmaps = average_with_flipped(heatmaps, flipped, indices, self.spec.shift_heatmap)
        keypoints, scores = decode(heatmaps, self.spec.blur_kernel_size)
        return to_image(keypoints, heatmaps.shape[:1:-1], regions), scores, heatmaps


class PoseEstimator:
    """Finds the keypoints of persons in images.

    Persons of many images go through the network together, ``batch_size`` at once (at least 1, else a ValueError is
    raised), which changes the speed and the memory, never the result (beyond the last bits of floating point).

    Args:
        model: A :class:`HeatmapModel`, or another object with its ``prepare``, ``estimate`` and ``keypoint_set``.
        detector: Finds the persons where a call brings no boxes.
        batch_size, keep_heatmaps: Persons at once; whether the results carry the heatmaps.
    """

    def __init__(
        self, model: HeatmapModel, detector: Detector, batch_size: int = 16, keep_heatmaps: bool = False
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'The batch size must be at least 1, got {batch_size}.')
        self.model, self.detector, self.keypoint_set = model, detector, model.keypoint_set
        self.batch_size, self.keep_heatmaps = batch_size, keep_heatmaps

    def predict(self, image: object, boxes: object = None, channel_order: str | None = None) -> Poses:
        """Finds the keypoints in one image.

        Args:
            image: A path, an array (height, width, 3) uint8, or a PIL image.
            boxes: (N, 4) xyxy in pixels, (N, 5) with scores, or :class:`Boxes`; ``None`` asks the detector.
            channel_order: ``'bgr'`` or ``'rgb'``; needed for an array.

        Raises:
            FileNotFoundError: The image does not exist.
            ValueError: It cannot be read, or a box is empty or outside it.
        """
        return next(self.predict_many([image], None if boxes is None else [boxes], channel_order))

    def predict_many(
        self, images: Iterable, boxes: Iterable | None = None, channel_order: str | None = None
    ) -> Iterator[Poses]:
        """Yields the persons of many images in order; arguments and errors as in :meth:`predict`, boxes per image."""

        def inputs() -> Iterator[tuple[Image, Boxes, None]]:
            pairs = ((image, None) for image in images) if boxes is None else zip(images, boxes, strict=True)
            for source, given in pairs:
                image = Image(as_image(source, channel_order), str(source) if isinstance(source, str | Path) else '')
                yield image, self.detector.find(image) if given is None else Boxes.of(given), None

        for _, poses, _ in self.stream(inputs()):
            yield poses

    def stream(self, inputs: Iterable[tuple[Image, Boxes, Any]]) -> Iterator[tuple[Image, Poses, Any]]:
        """Estimates a stream of decoded images, batching persons across them.

        Takes each image with its boxes and anything to get back; yields the image, its persons and that, in order.
        A box that is empty or outside its image raises a ValueError.
        """
        waiting, samples, found = deque(), [], []  # images, samples before and persons after the network; all in order

        def run_batch() -> None:
            keypoints, scores, heatmaps = self.model.estimate(samples[: self.batch_size])
            kept = heatmaps if self.keep_heatmaps and heatmaps is not None else [None] * len(scores)
            found.extend(zip(keypoints, scores, kept, strict=True))
            del samples[: self.batch_size]

        def finished() -> tuple[Image, Poses, Any]:
            image, boxes, tag, regions = waiting.popleft()
            persons, found[: len(boxes)] = found[: len(boxes)], []
            return image, self._poses(boxes, regions, persons), tag

        for image, boxes, tag in inputs:
            boxes.check(image)
            prepared, regions = self.model.prepare(image.pixels, boxes.xyxy)
            samples += prepared
            waiting.append((image, boxes, tag, regions))
            is_much = sum(one.pixels.size // 3 for one, *_ in waiting) > _WAITING_PIXELS
            while len(samples) >= self.batch_size or (samples and is_much):
                run_batch()
            while waiting and len(found) >= len(waiting[0][1]):
                yield finished()
        while samples:
            run_batch()
        while waiting:
            yield finished()

    def _poses(self, boxes: Boxes, regions: np.ndarray, persons: list[tuple]) -> Poses:
        keypoints, scores, heatmaps = zip(*persons, strict=True) if persons else ((), (), ())
        center, half = regions[:, :2], regions[:, 2:] / 2
        return Poses(
            keypoints=np.array(keypoints, dtype=np.float32).reshape(-1, len(self.keypoint_set), 2),
            scores=np.array(scores, dtype=np.float32).reshape(-1, len(self.keypoint_set)),
            boxes=boxes.xyxy,
            box_scores=boxes.scores,
            regions=np.hstack([center - half, center + half]),
            heatmaps=np.stack(heatmaps) if heatmaps and heatmaps[0] is not None else None,
        )
