"""Top-down estimation around a heatmap network: crop, normalise, network, decode. Needs neither torch nor MMPose.

Shape letters: N persons, B batch, K keypoints, H and W input size, h and w heatmap size.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from .crops import Normalizer, crop, regions_of_boxes
from .heatmaps import average_with_flipped, decode, to_picture
from .keypoint_set import KeypointSet


class HeatmapNetwork(Protocol):
    """A network in any runtime."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32."""
        ...


@dataclass(frozen=True)
class TopdownSpec:
    """What a heatmap network takes and how its heatmaps are read; plain values, so that a file can carry it.

    Attributes:
        input_size_wh: Width and height of the input.
        mean: Per channel of the input, 0 to 255.
        std: The same.
        swap_red_blue: Whether the network takes red first (pictures are read blue first).
        padding: Factor by which boxes are enlarged.
        flip_test: Whether heatmaps are averaged with those of the mirror image.
        shift_heatmap: Whether the mirrored heatmaps are moved one pixel for it.
        blur_kernel_size: Of unbiased decoding, see :func:`~dyconv_pose.inference.heatmaps.decode`.
    """

    input_size_wh: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    swap_red_blue: bool = True
    padding: float = 1.25
    flip_test: bool = True
    shift_heatmap: bool = True
    blur_kernel_size: int | None = None

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> 'TopdownSpec':
        """Reads what :meth:`to_dict` wrote."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})


class Sample(NamedTuple):
    """One person ready for the network: what a stage needs of it, and its region (4,), centre and size in pixels."""

    data: Any
    region: np.ndarray


class Estimate(NamedTuple):
    """A batch's keypoints (B, K, 2) in pixels of the pictures, scores (B, K) and heatmaps (B, K, h, w) or None."""

    keypoints: np.ndarray
    scores: np.ndarray
    heatmaps: np.ndarray | None


class PersonStage(Protocol):
    """One way from a picture and boxes to keypoints: preparation per person, estimation per batch."""

    def prepare(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> list[Sample]:
        """Prepares the persons (N, 4) of a picture (height, width, 3) uint8, blue first."""
        ...

    def estimate(self, samples: list[Sample]) -> Estimate:
        """Estimates a batch of persons, of one picture or of many."""
        ...


class HeatmapStage:
    """The stage around any heatmap network whose heatmaps follow MMPose's MSRAHeatmap codec.

    Args:
        network: Maps (B, 3, H, W) to heatmaps.
        spec: The network's input and how its output is read.
        keypoint_set: The keypoints, for the flip test.
    """

    def __init__(self, network: HeatmapNetwork, spec: TopdownSpec, keypoint_set: KeypointSet) -> None:
        self.network, self.spec, self.keypoint_set = network, spec, keypoint_set
        self.normalize = Normalizer(spec.mean, spec.std, spec.swap_red_blue)

    def prepare(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> list[Sample]:
        """Crops the persons; see :class:`PersonStage`."""
        size = self.spec.input_size_wh
        regions = regions_of_boxes(boxes_xyxy, size, self.spec.padding)
        return [Sample(crop(image, region, size), region) for region in regions]

    def estimate(self, samples: list[Sample]) -> Estimate:
        """Runs the network on a batch and decodes its heatmaps; see :class:`PersonStage`."""
        batch = self.normalize(np.stack([sample.data for sample in samples]))
        heatmaps = self.heatmaps(batch)
        keypoints, scores = decode(heatmaps, self.spec.blur_kernel_size)
        height, width = heatmaps.shape[2:]
        regions = np.stack([sample.region for sample in samples])
        return Estimate(to_picture(keypoints, (width, height), regions), scores, heatmaps)

    def heatmaps(self, batch: np.ndarray) -> np.ndarray:
        """The network's heatmaps (B, K, h, w) of (B, 3, H, W), averaged with the mirror image's if that is asked."""
        heatmaps = self.network(batch)
        if not self.spec.flip_test:
            return heatmaps
        flipped = self.network(np.ascontiguousarray(batch[..., ::-1]))
        return average_with_flipped(heatmaps, flipped, self.keypoint_set.flip_indices, self.spec.shift_heatmap)
