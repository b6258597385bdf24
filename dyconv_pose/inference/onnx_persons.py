"""Persons found by a detector in ONNX format: YOLOX, or RTMDet as MMDeploy exports it."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from .types import Boxes, Picture

_STRIDES = (8, 16, 32)
_GREY = 114  # what both detectors were trained to see beyond the picture
#: RTMDet's normalisation, blue first; YOLOX takes the bytes as they are.
_RTMDET_MEAN = np.array([103.53, 116.28, 123.675], dtype=np.float32)
_RTMDET_STD = np.array([57.375, 57.12, 58.395], dtype=np.float32)


class OnnxPersons:
    """A detector whose class 0 is a person.

    Two kinds of output are understood: YOLOX's raw (1, anchors, 5 + classes), and detections after suppression
    (1, N, 5), xyxy and score in input pixels, with labels (1, N) where there is more than one class.

    Args:
        network: Maps input (1, 3, H, W) float32 to the model's outputs.
        input_size_wh: W and H.
        normalize: Whether the input is normalised as RTMDet's.
        threshold: Persons that score less, 0 to 1, are dropped.
        overlap: Of raw detections that overlap more, the best one stays.
    """

    def __init__(
        self,
        network: Callable[[np.ndarray], Sequence[np.ndarray]],
        input_size_wh: tuple[int, int],
        normalize: bool,
        threshold: float = 0.4,
        overlap: float = 0.45,
    ) -> None:
        self.network, self.input_size_wh, self.normalize = network, input_size_wh, normalize
        self.threshold, self.overlap = threshold, overlap

    @classmethod
    def load(cls, path: str | Path, threshold: float = 0.4) -> 'OnnxPersons':
        """Loads a model file. It is taken for RTMDet if "rtmdet" is in its name, or else for YOLOX.

        Raises:
            FileNotFoundError: There is no such file.
            ImportError: ONNX Runtime is not installed.
            ValueError: The file is no detector that ONNX Runtime can load.
        """
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
            raise ValueError(f'A detector must take pictures (1, 3, height, width), "{path}" takes {first.shape}.')
        height, width = (size if isinstance(size, int) else 640 for size in first.shape[2:])
        normalize = 'rtmdet' in Path(path).name.lower()
        return cls(lambda batch: session.run(None, {first.name: batch}), (width, height), normalize, threshold)

    def find(self, picture: Picture) -> Boxes:
        """The persons' boxes, cut at the picture's border.

        Raises:
            ValueError: The model's output is of neither kind.
        """
        batch, ratio = self._input(picture.image)
        outputs = [np.asarray(output) for output in self.network(batch)]
        rows = self._detections(outputs)
        rows[:, :4] = np.clip(rows[:, :4] / ratio, 0, [*picture.size_wh] * 2)
        kept = (rows[:, 4] >= self.threshold) & ((rows[:, 2:4] - rows[:, :2]) >= 1).all(axis=1)
        return Boxes.of(rows[kept])

    def _input(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The picture in the upper left corner of the input (1, 3, H, W), and the factor by which it was scaled."""
        width, height = self.input_size_wh
        ratio = min(width / image.shape[1], height / image.shape[0])
        size = max(int(image.shape[1] * ratio), 1), max(int(image.shape[0] * ratio), 1)
        canvas = np.full((height, width, 3), _GREY, dtype=np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        values = canvas.astype(np.float32)
        if self.normalize:
            values = (values - _RTMDET_MEAN) / _RTMDET_STD
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), ratio

    def _detections(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Persons (N, 5) float32, xyxy in input pixels and score."""
        first = outputs[0]
        if first.ndim == 3 and first.shape[2] == 5 and first.shape[1] != self._anchors()[0].shape[0]:
            rows = first[0].astype(np.float32)
            return rows[outputs[1].reshape(-1) == 0] if len(outputs) > 1 else rows
        if first.ndim == 3 and first.shape[2] > 5 and first.shape[1] == self._anchors()[0].shape[0]:
            return self._suppressed(first[0].astype(np.float32))
        shapes = ', '.join(str(output.shape) for output in outputs)
        raise ValueError(
            f"A detector must give YOLOX's raw (1, {self._anchors()[0].shape[0]}, 5 + classes) or detections (1, N, 5) "
            f'with labels, got {shapes}: export it for MMDeploy or rtmlib.'
        )

    def _anchors(self) -> tuple[np.ndarray, np.ndarray]:
        """YOLOX's grid: the cells' (anchors, 2) x and y in cells, and their (anchors, 1) strides."""
        cells, strides = [], []
        for stride in _STRIDES:
            columns, rows = self.input_size_wh[0] // stride, self.input_size_wh[1] // stride
            y, x = np.divmod(np.arange(columns * rows), columns)
            cells.append(np.stack([x, y], axis=1))
            strides.append(np.full((columns * rows, 1), stride))
        return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)

    def _suppressed(self, raw: np.ndarray) -> np.ndarray:
        """Persons of YOLOX's raw output (anchors, 5 + classes)."""
        cells, strides = self._anchors()
        classes = raw[:, 5:].argmax(axis=1)
        scores = raw[:, 4] * raw[:, 5]
        chosen = (classes == 0) & (scores >= self.threshold)
        center = (raw[chosen, :2] + cells[chosen]) * strides[chosen]
        size = np.exp(np.minimum(raw[chosen, 2:4], 20)) * strides[chosen]
        corner, scores = center - size / 2, scores[chosen]
        boxes = np.concatenate([corner, size], axis=1)
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.threshold, self.overlap), dtype=int)
        return np.concatenate([corner, corner + size, scores[:, None]], axis=1)[kept.reshape(-1)]
