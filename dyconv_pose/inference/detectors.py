"""Detectors of persons that need no training framework: :func:`load_detector` makes one by its name."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from .coco import CocoBoxes
from .predictor import Detector
from .results import Boxes, Image

_STRIDES, _HIGHEST_IOU = (8, 16, 32), 0.45  # of YOLOX: its grids, and the overlap above which the best box stays
_GREY = 114  # what YOLOX and RTMDet were trained to see beyond the image
#: RTMDet's normalisation, blue first; YOLOX takes the bytes as they are.
_RTMDET_MEAN = np.array([103.53, 116.28, 123.675], dtype=np.float32)
_RTMDET_STD = np.array([57.375, 57.12, 58.395], dtype=np.float32)


def load_detector(name: str, annotations: str | None = None, threshold: float | None = None) -> Detector:
    """Makes a detector.

    Args:
        name: ``'image'`` (the whole image is one person), ``'hog'`` (OpenCV's, or the whole image where that finds
            nobody), a COCO annotation or detection file (.json), or a YOLOX or RTMDet model (.onnx).
        annotations: For COCO detections, the annotations that give the images' ids.
        threshold: Boxes that score less are left out; ``None`` is the detector's own default.

    Raises:
        FileNotFoundError, ImportError, ValueError: A file is missing or of another kind, as is what runs it.
    """
    limit, ending = {} if threshold is None else {'threshold': threshold}, Path(name).suffix.lower()
    if name == 'image':
        return WholeImage()
    if name == 'hog':
        return Fallback(HogDetector(**limit))
    if ending == '.json':
        return CocoBoxes(name, annotations, **limit)
    if ending == '.onnx':
        return OnnxDetector.load(name, **limit)
    raise ValueError(
        f'Boxes must come from "image", "hog", a .json file of COCO annotations or detections, a .onnx file of YOLOX '
        f'or RTMDet, or mmdet:CONFIG:CHECKPOINT, got "{name}".'
    )


class WholeImage:
    """Takes the whole image for one person."""

    def find(self, image: Image) -> Boxes:
        """One box, the image's border."""
        return Boxes.of([[0, 0, *image.size_wh]])


class Fallback:
    """Asks a detector, and takes the whole image where that finds nobody; ``fell_back`` counts how often."""

    def __init__(self, detector: Detector) -> None:
        self.detector, self.fell_back = detector, 0

    def find(self, image: Image) -> Boxes:
        """The detector's boxes, or the image's border."""
        boxes = self.detector.find(image)
        if len(boxes):
            return boxes
        self.fell_back += 1
        return WholeImage().find(image)


class HogDetector:
    """OpenCV's built-in detector (histograms of oriented gradients) of upright, fully visible people.

    They are about 100 pixels high or more where the image's longer side is at most ``longest_side``; larger images are
    searched at that size. Detections that score less than ``threshold``, 0 to 1, are dropped.
    """

    def __init__(self, longest_side: int = 800, threshold: float = 0.5) -> None:
        if not hasattr(cv2, 'HOGDescriptor'):
            raise ImportError(
                f'OpenCV {cv2.__version__} has no HOG person detector: install opencv-python 4, or give boxes.'
            )
        self.longest_side, self.threshold = longest_side, threshold
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def find(self, image: Image) -> Boxes:
        """The boxes of standing people."""
        width, height = image.size_wh
        scale = min(self.longest_side / max(width, height), 1.0)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        if size[0] < 64 or size[1] < 128:  # the detector's window
            return Boxes.of([])
        small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.pixels
        found, margins = self._hog.detectMultiScale(small, winStride=(8, 8), padding=(16, 16), scale=1.05)
        if not len(found):
            return Boxes.of([])
        scores = 1 / (1 + np.exp(-np.asarray(margins, dtype=np.float32).reshape(-1)))
        kept = cv2.dnn.NMSBoxes(np.float32(found).tolist(), scores.tolist(), self.threshold, 0.4)
        scores, (x, y, w, h) = scores[kept].reshape(-1), np.float32(found)[kept].reshape(-1, 4).T
        # The window has a margin about the person, in all an eighth of its height and a quarter of its width.
        xyxy = np.stack([x + w * 0.125, y + h * 0.0625, x + w * 0.875, y + h * 0.9375], axis=1) / scale
        return Boxes.of(np.concatenate([np.clip(xyxy, 0, [width, height] * 2), scores[:, None]], axis=1))


class OnnxDetector:
    """A detector in ONNX format whose class 0 is a person: YOLOX, or RTMDet as MMDeploy exports it.

    Args:
        network: Maps input (1, 3, H, W) float32 to the model's outputs: YOLOX's raw (1, anchors, 5 + classes), or
            detections after suppression (1, N, 5), xyxy and score in input pixels, with labels (1, N) where there is
            more than one class.
        input_size_wh: W and H.
        normalize: Whether the input is normalised as RTMDet's.
        threshold: Persons that score less, 0 to 1, are dropped.
    """

    def __init__(
        self, network: Callable, input_size_wh: tuple[int, int], normalize: bool, threshold: float = 0.4
    ) -> None:
        self.network, self.input_size_wh, self.normalize, self.threshold = network, input_size_wh, normalize, threshold

    @classmethod
    def load(cls, path: str | Path, threshold: float = 0.4) -> 'OnnxDetector':
        """Loads a model file. It is taken for RTMDet if "rtmdet" is in its name, or else for YOLOX."""
        if not Path(path).is_file():
            raise FileNotFoundError(f'The detector must be an existing ONNX file, got "{path}".')
        if find_spec('onnxruntime') is None:
            raise ImportError('A detector in ONNX format needs ONNX Runtime: pip install onnxruntime.')
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        except Exception as error:  # its errors share no base class but this one
            raise ValueError(f'The detector "{path}" cannot be loaded: {str(error).splitlines()[0]}') from error
        first = session.get_inputs()[0]
        if len(first.shape) != 4:
            raise ValueError(f'A detector must take images (1, 3, height, width), "{path}" takes {first.shape}.')
        height, width = (size if isinstance(size, int) else 640 for size in first.shape[2:])
        normalize = 'rtmdet' in Path(path).name.lower()
        return cls(lambda batch: session.run(None, {first.name: batch}), (width, height), normalize, threshold)

    def find(self, image: Image) -> Boxes:
        """The persons' boxes, cut at the image's border; a ValueError where the model's output is of neither kind."""
        batch, ratio = self._input(image.pixels)
        rows = self._detections([*map(np.asarray, self.network(batch))])
        rows[:, :4] = np.clip(rows[:, :4] / ratio, 0, [*image.size_wh] * 2)
        kept = (rows[:, 4] >= self.threshold) & ((rows[:, 2:4] - rows[:, :2]) >= 1).all(axis=1)
        return Boxes.of(rows[kept])

    def _input(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The image in the upper left corner of the input (1, 3, H, W), and the factor by which it was scaled."""
        width, height = self.input_size_wh
        ratio = min(width / image.shape[1], height / image.shape[0])
        size = [max(int(side * ratio), 1) for side in image.shape[1::-1]]
        canvas = np.full((height, width, 3), _GREY, dtype=np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        values = canvas.astype(np.float32)
        if self.normalize:
            values = (values - _RTMDET_MEAN) / _RTMDET_STD
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), ratio

    def _detections(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Persons (N, 5) float32, xyxy in input pixels and score."""
        first, (cells, strides) = outputs[0], self._grid()
        if first.ndim == 3 and first.shape[2] == 5 and first.shape[1] != len(cells):
            rows = first[0].astype(np.float32)
            return rows[outputs[1].reshape(-1) == 0] if len(outputs) > 1 else rows
        if first.ndim != 3 or first.shape[2] <= 5 or first.shape[1] != len(cells):
            raise ValueError(
                f"A detector must give YOLOX's raw (1, {len(cells)}, 5 + classes) or detections (1, N, 5) with labels, "
                f'got {", ".join(str(output.shape) for output in outputs)}: export it for MMDeploy or rtmlib.'
            )
        raw = first[0].astype(np.float32)
        scores = raw[:, 4] * raw[:, 5]
        chosen = (raw[:, 5:].argmax(axis=1) == 0) & (scores >= self.threshold)
        size = np.exp(np.minimum(raw[chosen, 2:4], 20)) * strides[chosen]
        corner, scores = (raw[chosen, :2] + cells[chosen]) * strides[chosen] - size / 2, scores[chosen]
        kept = cv2.dnn.NMSBoxes(np.hstack([corner, size]).tolist(), scores.tolist(), self.threshold, _HIGHEST_IOU)
        return np.hstack([corner, corner + size, scores[:, None]])[np.array(kept, dtype=int).reshape(-1)]

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """YOLOX's anchors: x and y (anchors, 2) in cells, and the cells' strides (anchors, 1), both float32."""
        width, height = self.input_size_wh
        cells = [np.mgrid[: height // stride, : width // stride][::-1].reshape(2, -1).T for stride in _STRIDES]
        strides = np.repeat(_STRIDES, [len(part) for part in cells])
        return np.concatenate(cells).astype(np.float32), strides[:, None].astype(np.float32)
