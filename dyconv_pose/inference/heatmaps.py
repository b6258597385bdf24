"""From heatmaps to keypoints, as MMPose's MSRAHeatmap codec and flip test do it, for a whole batch at once.

Shape letters: B batch, K keypoints, h and w height and width of the heatmaps.
"""

from collections.abc import Sequence

import cv2
import numpy as np


def average_with_flipped(
    heatmaps: np.ndarray, flipped: np.ndarray, flip_indices: Sequence[int], shift: bool
) -> np.ndarray:
    """Averages the heatmaps of pictures with those of their mirror images.

    Args:
        heatmaps: (B, K, h, w) float32.
        flipped: (B, K, h, w) float32, of the mirrored input.
        flip_indices: For each keypoint, the index of its mirror image.
        shift: Whether the mirrored heatmaps move one column to the right, which aligns them with the others.

    Returns:
        (B, K, h, w) float32.
    """
    back = flipped[:, list(flip_indices), :, ::-1]
    total = heatmaps.copy()
    if shift:
        total[..., 1:] += back[..., :-1]
        total[..., 0] += back[..., 0]
    else:
        total += back
    total *= 0.5
    return total


def decode(heatmaps: np.ndarray, blur_kernel_size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Finds each heatmap's maximum and refines it to a part of a pixel.

    A heatmap without a positive value has its keypoint at (-1, -1).

    Args:
        heatmaps: (B, K, h, w) float32.
        blur_kernel_size: ``None`` moves each maximum a quarter of a pixel towards the higher neighbour. A number
            moves it to the maximum of a Gaussian through its surroundings, after a blur of this size (DARK, Zhang et
            al., CVPR 2020), which suits unbiased targets.

    Returns:
        Keypoints (B, K, 2) float32, x and y in heatmap pixels, and scores (B, K) float32, the maxima.
    """
    batch, count, height, width = heatmaps.shape
    flat = heatmaps.reshape(batch * count, height * width)
    index = flat.argmax(axis=1)
    row = np.arange(len(flat))
    scores = flat[row, index]
    found = scores > 0
    y, x = np.divmod(index, width)
    keypoints = np.stack([x, y], axis=1).astype(np.float32)
    keypoints[~found] = -1
    if blur_kernel_size is None:
        keypoints += _quarter_offsets(flat, index, found, width)
    else:
        inside = np.flatnonzero(found & (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2))
        maps = heatmaps.reshape(-1, height, width)[inside]
        keypoints[inside] += _gaussian_offsets(maps, x[inside], y[inside], blur_kernel_size)
    return keypoints.reshape(batch, count, 2), scores.reshape(batch, count)


def _quarter_offsets(flat: np.ndarray, index: np.ndarray, found: np.ndarray, width: int) -> np.ndarray:
    """A quarter of a pixel towards the higher neighbour, for N flat heatmaps (N, h * w); returns (N, 2)."""
    row = np.arange(len(flat))
    height = flat.shape[1] // width
    y, x = np.divmod(index, width)

    def difference(step: int, inside: np.ndarray) -> np.ndarray:
        """Sign of the slope across the maximum, zero where that lies at the border."""
        after, before = np.where(inside, index + step, 0), np.where(inside, index - step, 0)
        return np.sign(flat[row, after] - flat[row, before])

    # The bounds are MMPose's, its asymmetry included: row and column 0 and 1 differ from the last ones.
    dx = difference(1, found & (x > 1) & (x < width - 1) & (y > 0))
    dy = difference(width, found & (y > 1) & (y < height - 1) & (x > 0))
    return np.float32(0.25) * np.stack([dx, dy], axis=1).astype(np.float32)


def _gaussian_offsets(maps: np.ndarray, x: np.ndarray, y: np.ndarray, blur_kernel_size: int) -> np.ndarray:
    """One Newton step on the logarithm of N blurred heatmaps (N, h, w) from (x, y); returns (N, 2)."""
    if not len(maps):
        return np.zeros((0, 2), np.float32)
    size = (blur_kernel_size, blur_kernel_size)
    blurred = np.stack([cv2.GaussianBlur(one, size, 0, borderType=cv2.BORDER_CONSTANT) for one in maps])
    # The blur lowers the maximum; scaled back, the floor below means what it did before.
    blurred *= (maps.max(axis=(1, 2)) / blurred.max(axis=(1, 2)))[:, None, None]
    logs = np.log(np.maximum(blurred, 1e-10))
    row = np.arange(len(maps))

    def at(right: int, down: int) -> np.ndarray:
        return logs[row, y + down, x + right]

    dx, dy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
    dxx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    dyy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    dxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    determinant = dxx * dyy - dxy**2
    divisor = np.where(determinant == 0, np.inf, determinant)  # a flat surrounding: no step
    return np.stack([(dxy * dy - dyy * dx) / divisor, (dxy * dx - dxx * dy) / divisor], axis=1).astype(np.float32)


def to_picture(keypoints: np.ndarray, heatmap_size_wh: tuple[int, int], regions: np.ndarray) -> np.ndarray:
    """Moves keypoints from heatmap pixels to pixels of the pictures.

    Args:
        keypoints: (B, K, 2), x and y in heatmap pixels.
        heatmap_size_wh: w and h.
        regions: (B, 4) centre x, centre y, width, height of what the network saw, in pixels of the picture.

    Returns:
        (B, K, 2) float32.
    """
    center, size = regions[:, None, :2].astype(np.float64), regions[:, None, 2:].astype(np.float64)
    return (keypoints / np.asarray(heatmap_size_wh) * size + center - 0.5 * size).astype(np.float32)
