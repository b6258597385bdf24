"""Detectors of persons: :func:`load_detector` makes one by its name."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from dyconv_pose.resources import DETECTOR, find_weights

from .results import Boxes, Image


class Detector(Protocol):
    """Finds the persons of an image; one with a true ``can_miss`` may overlook some, and see some that are none."""

    def find(self, image: Image) -> Boxes:
        """The persons' boxes; none where nobody is."""
        ...


def load_detector(
    name: str = 'multipose', threshold: float | None = None, device: str = 'cpu', trust: bool = False
) -> Detector:
    """Makes a detector; a FileNotFoundError, ImportError or ValueError says what is missing or of another kind.

    Args:
        name: ``'multipose'`` (MoveNet MultiPose, which ships), ``'image'`` (the whole image is one person), a file of
            rtmlib or MMDeploy (.onnx), or ``'mmdet:CONFIG:CHECKPOINT'``.
        threshold: Boxes that score less are left out; ``None`` is the detector's own default.
        device: Where a detector of MMDetection runs.
        trust: Whether its checkpoint may run code while it is read.
    """
    limit = {} if threshold is None else {'threshold': threshold}
    if name == 'image':
        return WholeImage()
    if name == 'multipose' or name.lower().endswith('.onnx'):
        return OnnxDetector.load(find_weights(DETECTOR) if name == 'multipose' else name, **limit)
    if name.startswith('mmdet:'):
        return MMDetDetector.load(name, device, trust=trust, **limit)
    replaced = ': "multipose" took the place of "hog" and finds far more persons' if name == 'hog' else ''
    raise ValueError(
        f'Boxes must come from "multipose", "image", a .onnx file of YOLOX or RTMDet, or mmdet:CONFIG:CHECKPOINT (with '
        f'tools/infer.py also from a .json file of COCO annotations or detections), got "{name}"{replaced}.'
    )


class WholeImage:
    """Takes the whole image for one person."""

    def find(self, image: Image) -> Boxes:
        """One box, the image's border."""
        return Boxes.of([[0, 0, *image.size_wh]])


class _Kind(NamedTuple):
    """How a detector wants its input (the defaults are YOLOX's), and the score from which on it is believed."""

    mean: tuple[float, ...] = (0, 0, 0)  # blue first
    std: tuple[float, ...] = (1, 1, 1)
    fill: int = 114  # what it was trained to see beyond the image
    is_centred: bool = False  # or the image lies in the upper left corner
    threshold: float = 0.4
    power: float = 1.0  # of the score; below one, the keypoints' own scores weigh more in a person's


#: By what the file's name has in it.
_KINDS = {
    'multipose': _Kind(fill=0, is_centred=True, threshold=0.1, power=0.5),
    'rtmdet': _Kind(mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395)),
}


class OnnxDetector:
    """A detector whose class 0 is a person, by the file's name MoveNet MultiPose or RTMDet, and otherwise YOLOX.

    ``network`` maps input (1, 3, H, W) float32 to detections after suppression (1, N, 5), xyxy in input pixels and
    score, with labels (1, N) where there are several classes. Those that score less than ``threshold`` are dropped.
    """

    can_miss = True

    def __init__(
        self, network: Callable, input_size_wh: tuple[int, int], name: str, threshold: float | None = None
    ) -> None:
        self.network, self.input_size_wh = network, input_size_wh
        self.kind = next((kind for part, kind in _KINDS.items() if part in name.lower()), _Kind())
        self.threshold = self.kind.threshold if threshold is None else threshold

    @classmethod
    def load(cls, path: str | Path, threshold: float | None = None) -> 'OnnxDetector':
        """Loads a file in ONNX format."""
        if not Path(path).is_file():
            raise FileNotFoundError(f'The detector must be an existing ONNX file, got "{path}".')
        if find_spec('onnxruntime') is None:
            raise ImportError('A detector in ONNX format needs ONNX Runtime: pip install onnxruntime.')
        from dyconv_pose.deploy.runtime import onnxruntime_session

        try:
            session = onnxruntime_session(str(path))
        except Exception as error:  # its errors share no base class but this one
            problem = str(error).splitlines()[0]
            raise ValueError(f'The detector "{path}" cannot be loaded (is it a whole file?): {problem}') from error
        first, found = session.get_inputs()[0], session.get_outputs()[0]
        if len(first.shape) != 4 or len(found.shape) != 3:
            raise ValueError(
                f'A detector must take images (1, 3, height, width) and give detections (1, N, 5), "{path}" takes '
                f'{first.shape} and gives {found.shape}.'
            )
        height, width = (size if isinstance(size, int) else 640 for size in first.shape[2:])
        return cls(lambda batch: session.run(None, {first.name: batch}), (width, height), Path(path).name, threshold)

    def find(self, image: Image) -> Boxes:
        """The persons' boxes, cut at the image's border; a ValueError where the model's output is of another form."""
        batch, ratio, corner = self._input(image.pixels)
        rows, *labels = (np.asarray(one) for one in self.network(batch))
        if rows.ndim != 3 or rows.shape[2] != 5:
            raise ValueError(
                f'A detector must give detections (1, N, 5) after suppression, with labels where there are several '
                f"classes, got {rows.shape}: take one exported by MMDeploy, as rtmlib's are."
            )
        xyxy = np.clip((rows[0, :, :4] - [*corner, *corner]) / ratio, 0, [*image.size_wh] * 2)
        kept = (rows[0, :, 4] >= self.threshold) & ((xyxy[:, 2:] - xyxy[:, :2]) >= 1).all(axis=1)
        if labels:
            kept &= labels[0].reshape(-1) == 0
        return Boxes.of(np.column_stack([xyxy, rows[0, :, 4] ** self.kind.power])[kept])

    def _input(self, image: np.ndarray) -> tuple[np.ndarray, float, tuple[int, int]]:
        """The image within the input (1, 3, H, W), the factor by which it was scaled, and its corner there (x, y)."""
        (width, height), kind = self.input_size_wh, self.kind
        ratio = min(width / image.shape[1], height / image.shape[0])
        wide, high = (max(int(side * ratio), 1) for side in image.shape[1::-1])
        left, top = ((width - wide) // 2, (height - high) // 2) if kind.is_centred else (0, 0)
        canvas = np.full((height, width, 3), kind.fill, dtype=np.uint8)
        method = cv2.INTER_AREA if kind.is_centred and ratio < 1 else cv2.INTER_LINEAR
        canvas[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=method)
        values = (canvas - np.float32(kind.mean)) / np.float32(kind.std)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), ratio, (left, top)


class MMDetDetector:
    """A detector of ``mmdet.apis.init_detector`` whose class 0 is a person; those that score less are dropped."""

    can_miss = True

    def __init__(self, model: object, threshold: float = 0.4) -> None:
        self.model, self.threshold = model, threshold

    @classmethod
    def load(cls, name: str, device: str = 'cpu', threshold: float = 0.4, trust: bool = False) -> 'MMDetDetector':
        """Loads ``mmdet:CONFIG:CHECKPOINT``; an ImportError where MMDetection is not installed, else a ValueError."""
        parts = name.split(':', 2)
        if len(parts) != 3 or not all(parts):
            raise ValueError(f'A detector of MMDetection must be given as mmdet:CONFIG:CHECKPOINT, got "{name}".')
        if find_spec('mmdet') is None:
            raise ImportError(
                'Detection by mmdet: needs MMDetection, which is not installed: pip install mmdet (with an MMCV that '
                'has compiled operators), or take the boxes from elsewhere (--boxes).'
            )
        from mmdet.apis import init_detector

        from dyconv_pose.apis.checkpoint import weights_only

        with weights_only(trust):
            return cls(init_detector(parts[1], parts[2], device=device), threshold)

    def find(self, image: Image) -> Boxes:
        """The persons' boxes."""
        from mmdet.apis import inference_detector

        found = inference_detector(self.model, image.pixels).pred_instances.cpu().numpy()
        kept = (found.labels == 0) & (found.scores >= self.threshold)
        return Boxes.of(np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[kept])
