"""Pose estimation on images around a network of any runtime.

Letters: N persons, B batch, K keypoints, H and W of the network's input, h and w of the heatmaps.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dyconv_pose.resources import DEFAULT_NETWORK, NETWORKS, find_weights

from .detectors import Detector, load_detector
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
from .results import Boxes, Image, KeypointSet, Poses, box_of_keypoints

#: Images wait for a full batch only until they hold so many pixels, so that large ones do not fill the memory.
_WAITING_PIXELS = 100_000_000

#: Mean score of all keypoints from which on somebody whom no detector found is a person.
_PERSON_THRESHOLD = 0.4


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
                yield image, self.find(image) if given is None else Boxes.of(given), None

        for _, poses, _ in self.stream(inputs()):
            yield poses

    def find(self, image: Image) -> Boxes:
        """The detector's boxes; or, where it can miss persons and finds nobody, that of a person in the whole image.

        The network looks at the whole image, and then where it was sure of keypoints.
        """
        boxes = self.detector.find(image)
        if len(boxes) or not getattr(self.detector, 'can_miss', False):
            return boxes
        whole, score = np.array([0, 0, *image.size_wh]), 0.0
        box = self._look(image, whole)[0]
        if box is not None:
            score = self._look(image, box)[1]
        return Boxes.of([[*box, score]] if score >= _PERSON_THRESHOLD else [])

    def _look(self, image: Image, box: np.ndarray) -> tuple[np.ndarray | None, float]:
        """The box of the keypoints that the network finds in a box, and their mean score."""
        (keypoints,), (scores,), _ = self.model.estimate(self.model.prepare(image.pixels, box[None])[0])
        return box_of_keypoints(keypoints, scores, image.size_wh), float(scores.mean())

    def stream(self, inputs: Iterable[tuple[Image, Boxes, Any]]) -> Iterator[tuple[Image, Poses, Any]]:
        """Estimates a stream of decoded images, batching persons across them.

        Takes each image with its boxes and anything to get back; yields the image, its persons and that, in order.
        A box that is empty or outside its image raises a ValueError.
        """
        waiting, samples, num_pixels = [], [], 0
        for image, boxes, tag in inputs:
            boxes.check(image)
            prepared, regions = self.model.prepare(image.pixels, boxes.xyxy)
            num_pixels += image.pixels.size // 3
            if waiting and (len(samples) + len(prepared) > self.batch_size or num_pixels > _WAITING_PIXELS):
                yield from self._estimate(waiting, samples)
                waiting, samples, num_pixels = [], [], image.pixels.size // 3
            samples += prepared
            waiting.append((image, boxes, regions, tag))
        yield from self._estimate(waiting, samples)

    def _estimate(self, waiting: list[tuple], samples: list) -> Iterator[tuple[Image, Poses, Any]]:
        persons = []
        for start in range(0, len(samples), self.batch_size):
            keypoints, scores, heatmaps = self.model.estimate(samples[start : start + self.batch_size])
            kept = heatmaps if self.keep_heatmaps and heatmaps is not None else [None] * len(scores)
            persons += zip(keypoints, scores, kept, strict=True)
        for image, boxes, regions, tag in waiting:
            found, persons = persons[: len(boxes)], persons[len(boxes) :]
            keypoints, scores, heatmaps = zip(*found, strict=True) if found else ((), (), ())
            center, half = regions[:, :2], regions[:, 2:] / 2
            poses = Poses(
                keypoints=np.array(keypoints, dtype=np.float32).reshape(-1, len(self.keypoint_set), 2),
                scores=np.array(scores, dtype=np.float32).reshape(-1, len(self.keypoint_set)),
                boxes=boxes.xyxy,
                box_scores=boxes.scores,
                regions=np.hstack([center - half, center + half]),
                heatmaps=np.stack(heatmaps) if heatmaps and heatmaps[0] is not None else None,
            )
            yield image, poses, tag


def load_estimator(
    network: object = None,
    checkpoint: str | Path | None = None,
    device: str = 'cpu',
    batch_size: int = 16,
    flip_test: bool | None = None,
    detector: Detector | None = None,
    keep_heatmaps: bool = False,
    trust: bool = False,
    backend: str = 'onnxruntime',
) -> PoseEstimator:
    """Loads a pose network for use on images; PyTorch and MMPose are needed for a config and a checkpoint alone.

    Args:
        network: One that ships, ``'x1.0'`` or ``'x1.75'``, by default as ``tools/infer.py``; an exported file (.onnx);
            or a config or its file.
        checkpoint: The weights that belong to a config; ``None`` leaves them random, for tests.
        device: Where a checkpoint runs, such as ``'cpu'`` or ``'cuda:0'``.
        batch_size: How many persons go through the network at once.
        flip_test: Whether to average with the mirror image; ``None`` does as the config says.
        detector: Finds the persons of images without boxes, by default MoveNet MultiPose, which ships.
        keep_heatmaps: Whether results carry heatmaps.
        trust: Whether the checkpoint may run code while it is read.
        backend: What runs an exported file, ``'onnxruntime'`` or ``'openvino'``.

    Raises:
        FileNotFoundError: A file does not exist.
        ImportError: What the network needs is not installed.
        ValueError: The config is no top-down network, the checkpoint does not fit it, the exported file is another
            one, or there is no such device.
    """
    network = DEFAULT_NETWORK if network is None else network
    if isinstance(network, str) and network in NETWORKS:
        network = find_weights(NETWORKS[network])
    if isinstance(network, str | Path) and str(network).lower().endswith('.onnx'):
        from dyconv_pose.deploy.runtime import load_exported

        return load_exported(network, backend, None, batch_size, flip_test, detector, keep_heatmaps)
    if find_spec('torch') is None or find_spec('mmpose') is None:
        raise ImportError(
            'A config and a checkpoint need PyTorch and MMPose, which are not installed: export the network where they '
            'are ("python tools/export.py CONFIG CHECKPOINT --out model.onnx") and give that file.'
        )
    from dyconv_pose.apis.estimator import load_model

    model = load_model(network, checkpoint, device, flip_test, keep_heatmaps, trust)
    return PoseEstimator(model, detector or load_detector(), batch_size, keep_heatmaps)
