"""Pose estimation on images around a network of any runtime. Letters: N persons, K keypoints."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dyconv_pose.resources import DEFAULT_NETWORK, NETWORKS, find_weights

from .detectors import Detector, load_detector
from .images import as_image
from .results import Boxes, Image, Poses, box_of_keypoints, confidences
from .topdown import HeatmapModel

#: Images wait for a full batch only until they hold so many pixels, so that large ones do not fill the memory.
_WAITING_PIXELS = 100_000_000


class PoseEstimator:
    """Finds the keypoints of persons in images.

    Persons of many images go through the network together, ``batch_size`` at once (at least 1, else a ValueError is
    raised), which changes the speed and the memory, never the result (beyond the last bits of floating point).

    Args:
        model: A :class:`HeatmapModel`, or another object with its ``prepare``, ``estimate`` and ``keypoint_set``.
        detector: Finds the persons where a call brings no boxes.
        batch_size, keep_heatmaps: Persons at once; whether the results carry the heatmaps.
    """

    #: Detected persons count only if one in the image is at least this sure, by :func:`.results.confidences`.
    person_threshold = 0.5

    def __init__(
        self, model: HeatmapModel, detector: Detector, batch_size: int = 16, keep_heatmaps: bool = False
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'The batch size must be at least 1, got {batch_size}.')
        self.model, self.detector, self.keypoint_set = model, detector, model.keypoint_set
        self.batch_size, self.keep_heatmaps = batch_size, keep_heatmaps

    def predict(self, image: object, boxes: object = None, channel_order: str | None = None) -> Poses:
        """Finds the keypoints in one image, a path, an array (height, width, 3) uint8, or a PIL image.

        ``boxes`` are (N, 4) xyxy in pixels, (N, 5) with scores, or :class:`Boxes`; ``None`` asks the detector. An array
        needs the ``channel_order``, ``'bgr'`` or ``'rgb'``. A FileNotFoundError is raised where the image does not
        exist, a ValueError where it cannot be read, or a box is empty or outside it.
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
        """The detector's boxes; where it can miss persons and finds nobody, that of the whole image's keypoints."""
        boxes = self.detector.find(image)
        if not getattr(self.detector, 'can_miss', False):
            return boxes
        if not len(boxes):
            samples, _ = self.model.prepare(image.pixels, np.array([[0, 0, *image.size_wh]]))
            (keypoints,), (scores,), _ = self.model.estimate(samples)
            box = box_of_keypoints(keypoints, scores, image.size_wh)
            boxes = Boxes.of([] if box is None else [box])
        return replace(boxes, are_doubtful=True)

    def stream(self, inputs: Iterable[tuple[Image, Boxes, Any]]) -> Iterator[tuple[Image, Poses, Any]]:
        """Yields images, their persons and a tag, in order, for images with boxes and a tag; batched across images.

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
        starts, count = range(0, len(samples), self.batch_size), len(self.keypoint_set)
        outputs = [self.model.estimate(samples[start : start + self.batch_size]) for start in starts]
        keypoints = np.concatenate([np.zeros((0, count, 2), np.float32), *(output[0] for output in outputs)])
        scores = np.concatenate([np.zeros((0, count), np.float32), *(output[1] for output in outputs)])
        has_heatmaps = self.keep_heatmaps and bool(outputs) and outputs[0][2] is not None
        heatmaps = np.concatenate([output[2] for output in outputs]) if has_heatmaps else None
        end = 0
        for image, boxes, regions, tag in waiting:
            start, end, half = end, end + len(boxes), regions[:, 2:] / 2
            poses = Poses(
                keypoints=keypoints[start:end],
                scores=scores[start:end],
                boxes=boxes.xyxy,
                box_scores=boxes.scores,
                regions=np.hstack([regions[:, :2] - half, regions[:, :2] + half]),
                heatmaps=heatmaps[start:end] if has_heatmaps else None,
            )
            if boxes.are_doubtful and not (confidences(poses.scores) >= self.person_threshold).any():
                poses = poses[:0]
            yield image, poses, tag


class Tracker:
    """Finds persons by a detector on every n-th frame, ``every``, and in between by their last keypoints."""

    def __init__(self, find: Callable[[Image], Boxes], every: int) -> None:
        self.find_anew, self.every = find, every
        self._frame, self._next = 0, Boxes.of([])

    def find(self, image: Image) -> Boxes:
        """Detected boxes on the n-th frames and when everybody was lost, else those left by :meth:`update`."""
        is_due = self._frame % self.every == 0 or not len(self._next)
        self._frame += 1
        return self.find_anew(image) if is_due else self._next

    def update(self, poses: Poses, size_wh: tuple[int, int]) -> None:
        """Notes where the persons of a frame are, for the next one. A person with few confident keypoints is lost."""
        rows = []
        persons = zip(poses.keypoints, poses.scores, poses.boxes, poses.box_scores, strict=True)
        for keypoints, scores, box, score in persons:
            # Unseen joints must not shrink a person to a hand: a side keeps 0.9 of its length from frame to frame.
            found = box_of_keypoints(keypoints, scores, size_wh, 0.9 * (box[2:] - box[:2]))
            rows += [] if found is None else [[*found, score]]
        self._next = Boxes.of(rows)


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
        network: The name of one that ships, such as ``'x1.0'`` or ``'x1.75-static'``; an exported file (.onnx); or a
            config or its file.
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
        ValueError: The config is no top-down network, a file does not fit, or there is no such device.
    """
    network = DEFAULT_NETWORK if network is None else network
    if isinstance(network, str) and network in NETWORKS:
        network = find_weights(NETWORKS[network])
    if isinstance(network, str | Path) and str(network).lower().endswith('.onnx'):
        if checkpoint is not None or device != 'cpu':
            raise ValueError(
                f'A checkpoint and a device belong to a config, and "{network}" is an exported network, which has its '
                'weights and runs on the CPU: name the config, or leave them out.'
            )
        from dyconv_pose.deploy.runtime import load_exported

        return load_exported(network, backend, None, batch_size, flip_test, detector, keep_heatmaps)
    if backend != 'onnxruntime':
        raise ValueError(f'The backend "{backend}" runs exported networks (.onnx), got a config: leave it out.')
    if find_spec('torch') is None or find_spec('mmpose') is None:
        raise ImportError(
            'A config and a checkpoint need PyTorch and MMPose, which are not installed: export the network where they '
            'are ("python tools/export.py CONFIG CHECKPOINT --out model.onnx") and give that file.'
        )
    if checkpoint is None:
        warnings.warn('A network without a checkpoint has random weights: name its checkpoint.', stacklevel=2)
    from dyconv_pose.apis.estimator import load_model

    model = load_model(network, checkpoint, device, flip_test, keep_heatmaps, trust)
    return PoseEstimator(model, detector or load_detector(), batch_size, keep_heatmaps)
