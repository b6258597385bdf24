"""From a person's box to keypoints as MMPose does it: crop, network, decoding; :class:`HeatmapModel` is the whole.

The crop is that of GetBBoxCenterScale and TopdownAffine, the decoding that of the MSRAHeatmap and SimCCLabel codecs
and the flip test. Letters: N persons, B batch, K keypoints, H and W of the network's input, h and w of the heatmaps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from .results import KeypointSet

#: OpenCV's warp addresses the source with 16-bit numbers.
_LONGEST_SOURCE_SIDE = 32766


@dataclass(frozen=True)
class TopdownSpec:
    """What a heatmap network takes and how its heatmaps are read; plain values, so that a file can carry it."""

    input_size_wh: tuple[int, int]
    mean: tuple[float, float, float]  # per channel of the input, 0 to 255
    std: tuple[float, float, float]
    swap_red_blue: bool = True  # whether the network takes red first (images are read blue first)
    padding: float = 1.25  # factor by which boxes are enlarged
    flip_test: bool = True  # whether heatmaps are averaged with those of the mirror image
    shift_heatmap: bool = True  # whether the mirrored heatmaps are moved one pixel for it
    blur_kernel_size: int | None = None  # of unbiased decoding, see decode()
    simcc_size_wh: tuple[int, int] | None = None  # lengths of the vectors of a SimCC network, which has no heatmaps


class HeatmapModel:
    """A network with its preprocessing and decoding, those of MMPose's MSRAHeatmap and SimCCLabel codecs.

    ``network`` maps (B, 3, H, W) float32, in any runtime, to heatmaps (B, K, h, w) float32 or, where the spec has a
    ``simcc_size_wh``, to the vectors of x and y, one after the other, (B, K, w + h).
    """

    def __init__(self, network: Callable, spec: TopdownSpec, keypoint_set: KeypointSet) -> None:
        self.network, self.spec, self.keypoint_set = network, spec, keypoint_set

    def prepare(self, pixels: np.ndarray, boxes_xyxy: np.ndarray) -> tuple[list[tuple], np.ndarray]:
        """Crops the persons (N, 4) out of an image (height, width, 3) uint8, blue first.

        Returns N samples for :meth:`estimate`, and their regions (N, 4) float32: centre x and y, width and height.
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


def regions_of_boxes(boxes_xyxy: np.ndarray, input_size_wh: tuple[int, int], padding: float = 1.25) -> np.ndarray:
    """What the network sees for boxes (N, 4), padded to the input's aspect: (N, 4) float32, centre, width, height."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float32).reshape(-1, 4)
    center = (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)
    width, height = ((boxes[:, 2:] - boxes[:, :2]) * np.float32(padding)).T
    aspect = input_size_wh[0] / input_size_wh[1]
    wide = width > height * aspect
    size = np.stack([np.where(wide, width, height * aspect), np.where(wide, width / aspect, height)], axis=1)
    return np.concatenate([center, size], axis=1).astype(np.float32)


def crop(image: np.ndarray, region: np.ndarray, input_size_wh: tuple[int, int]) -> np.ndarray:
    """Resamples a region (4,) of an image (height, width, 3) uint8 bilinearly to (H, W, 3); outside is black."""
    width, height = input_size_wh
    offset, shrink = np.float32([0, 0]), 1
    if max(image.shape[:2]) > _LONGEST_SOURCE_SIDE:
        image, offset, shrink = _part_that_fits(image, region)
    center_x, center_y, half_width = (*((region[:2] - offset) / shrink), region[2] * 0.5 / shrink)
    # Three corresponding points in float32, as MMPose has them: a matrix that is equal but for its last bits would
    # give other roundings of the pixels.
    left = center_x - half_width
    source = [[center_x, center_y], [left, center_y], [left, center_y + half_width]]
    target = [[width * 0.5, height * 0.5], [0, height * 0.5], [0, height * 0.5 + width * 0.5]]
    matrix = cv2.getAffineTransform(np.float32(source), np.float32(target))
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _part_that_fits(image: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The part of a very large image that a region covers, its corner (x, y), and the factor by which it is shrunk."""
    half, end = region[2:] * 0.5 + 2, np.array(image.shape[1::-1])
    left, top = np.clip(np.floor(region[:2] - half), 0, end - 1).astype(int)
    right, bottom = np.clip(np.ceil(region[:2] + half), [left + 1, top + 1], end).astype(int)
    part = image[top:bottom, left:right]
    shrink = -(-max(part.shape[:2]) // _LONGEST_SOURCE_SIDE)
    if shrink > 1:
        size = [max(side // shrink, 1) for side in part.shape[1::-1]]
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return part, np.array([left, top], dtype=np.float32), shrink


def normalize(crops: np.ndarray, spec: TopdownSpec) -> np.ndarray:
    """Maps crops (B, H, W, 3) uint8, blue first, to the network's input (B, 3, H, W) float32."""
    batch = np.empty((crops.shape[0], 3, *crops.shape[1:3]), dtype=np.float32)
    order = (2, 1, 0) if spec.swap_red_blue else (0, 1, 2)
    values = np.arange(256, dtype=np.float32)
    for channel, (source, mean, std) in enumerate(zip(order, spec.mean, spec.std, strict=True)):
        # A byte has 256 values: looking the results up is exact, and quicker than computing them.
        table = (values - np.float32(mean)) / np.float32(std)
        np.take(table, crops[..., source], out=batch[:, channel], mode='clip')
    return batch


def average_with_flipped(
    heatmaps: np.ndarray, flipped: np.ndarray, flip_indices: Sequence[int], shift: bool
) -> np.ndarray:
    """Averages heatmaps (B, K, h, w) with those of the mirrored input; ``shift`` moves these a column to the right."""
    back = flipped[:, list(flip_indices), :, ::-1]
    if shift:
        back = np.concatenate([back[..., :1], back[..., :-1]], axis=-1)
    return (heatmaps + back) * np.float32(0.5)


def decode(heatmaps: np.ndarray, blur_kernel_size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Finds the maxima of heatmaps (B, K, h, w) float32, to a part of a pixel; (-1, -1) where no value is positive.

    Each moves a quarter of a pixel towards the higher neighbour; with a ``blur_kernel_size`` to the maximum of a
    Gaussian through its surroundings after a blur (DARK, Zhang et al., CVPR 2020), which suits unbiased targets.
    Returns keypoints (B, K, 2) float32, x and y in heatmap pixels, and scores (B, K) float32, the maxima.
    """
    batch, count, height, width = heatmaps.shape
    maps = heatmaps.reshape(batch * count, height, width)
    y, x = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), width)
    scores = maps[np.arange(len(maps)), y, x]
    found, offsets = scores > 0, _quarter_offsets
    keypoints = np.where(found[:, None], np.stack([x, y], axis=1), -1).astype(np.float32)
    if blur_kernel_size is not None:
        found &= (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        offsets = partial(_gaussian_offsets, blur_kernel_size=blur_kernel_size)
    if found.any():
        keypoints[found] += offsets(maps[found], x[found], y[found])
    return keypoints.reshape(batch, count, 2), scores.reshape(batch, count)


def _quarter_offsets(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A quarter of a pixel from (x, y) towards the higher neighbour, in N heatmaps (N, h, w); returns (N, 2)."""
    (_, height, width), row = maps.shape, np.arange(len(maps))

    def slope_sign(right: int, down: int) -> np.ndarray:
        after = maps[row, np.minimum(y + down, height - 1), np.minimum(x + right, width - 1)]
        return np.sign(after - maps[row, np.maximum(y - down, 0), np.maximum(x - right, 0)])

    # The bounds are MMPose's, its asymmetry included: row and column 0 and 1 differ from the last ones.
    dx = slope_sign(1, 0) * ((x > 1) & (x < width - 1) & (y > 0))
    dy = slope_sign(0, 1) * ((y > 1) & (y < height - 1) & (x > 0))
    return np.float32(0.25) * np.stack([dx, dy], axis=1)


def _gaussian_offsets(maps: np.ndarray, x: np.ndarray, y: np.ndarray, blur_kernel_size: int) -> np.ndarray:
    """One Newton step on the logarithm of N blurred heatmaps (N, h, w) from (x, y); returns (N, 2)."""
    size = (blur_kernel_size, blur_kernel_size)
    blurred = np.stack([cv2.GaussianBlur(one, size, 0, borderType=cv2.BORDER_CONSTANT) for one in maps])
    # The blur lowers the maximum; scaled back, the floor below means what it did before.
    blurred *= (maps.max(axis=(1, 2)) / blurred.max(axis=(1, 2)))[:, None, None]
    logs, row = np.log(np.maximum(blurred, 1e-10)), np.arange(len(maps))

    def at(right: int, down: int) -> np.ndarray:
        return logs[row, y + down, x + right]

    dx, dy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
    dxx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    dyy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    dxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    determinant = dxx * dyy - dxy**2
    divisor = np.where(determinant == 0, np.inf, determinant)  # flat surroundings: no step
    return np.stack([(dxy * dy - dyy * dx) / divisor, (dxy * dx - dxx * dy) / divisor], axis=1).astype(np.float32)


def decode_simcc(
    vectors: np.ndarray, flipped: np.ndarray | None, flip_indices: Sequence[int], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the maximum of each SimCC vector; (-1, -1) where no value is positive.

    The vectors (B, K, w + h) float32 are that of x, ``width`` long, and then that of y; they are averaged with those of
    the mirrored input, if any. Returns keypoints (B, K, 2) float32, x and y in elements of the vectors, and scores
    (B, K) float32, the smaller maxima.
    """
    x, y = vectors[..., :width], vectors[..., width:]
    if flipped is not None:
        back = flipped[:, list(flip_indices)]
        x, y = (x + back[..., :width][..., ::-1]) * np.float32(0.5), (y + back[..., width:]) * np.float32(0.5)
    scores = np.minimum(x.max(axis=2), y.max(axis=2))
    keypoints = np.stack([x.argmax(axis=2), y.argmax(axis=2)], axis=2).astype(np.float32)
    keypoints[scores <= 0] = -1
    return keypoints, scores


def to_image(keypoints: np.ndarray, heatmap_size_wh: tuple[int, int], regions: np.ndarray) -> np.ndarray:
    """Moves keypoints (B, K, 2) from heatmap pixels to pixels of the images, given the regions (B, 4) of the crops."""
    center, size = regions[:, None, :2].astype(np.float64), regions[:, None, 2:].astype(np.float64)
    return (keypoints / np.asarray(heatmap_size_wh) * size + center - 0.5 * size).astype(np.float32)
