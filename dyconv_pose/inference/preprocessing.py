"""From a person's box to the network's input, as MMPose's GetBBoxCenterScale, TopdownAffine and preprocessor do it.

Shape letters: N persons, B batch, H and W height and width of the network's input.
"""

import cv2
import numpy as np

#: OpenCV's warp addresses the source with 16-bit numbers.
_LONGEST_SOURCE_SIDE = 32766


def regions_of_boxes(boxes_xyxy: np.ndarray, input_size_wh: tuple[int, int], padding: float = 1.25) -> np.ndarray:
    """The part of the picture that is shown to the network for each box: padded, and of the input's aspect ratio.

    Args:
        boxes_xyxy: (N, 4) in pixels.
        input_size_wh: Width and height of the network's input.
        padding: Factor by which a box is enlarged about its centre.

    Returns:
        (N, 4) float32: centre x, centre y, width, height in pixels.
    """
    boxes = np.asarray(boxes_xyxy, dtype=np.float32).reshape(-1, 4)
    center = (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)
    width, height = ((boxes[:, 2:] - boxes[:, :2]) * np.float32(padding)).T
    aspect = input_size_wh[0] / input_size_wh[1]
    wide = width > height * aspect
    size = np.stack([np.where(wide, width, height * aspect), np.where(wide, width / aspect, height)], axis=1)
    return np.concatenate([center, size], axis=1).astype(np.float32)


def crop(image: np.ndarray, region: np.ndarray, input_size_wh: tuple[int, int]) -> np.ndarray:
    """Resamples one region bilinearly; what lies outside the picture is black.

    Args:
        image: (height, width, 3) uint8.
        region: (4,) centre x, centre y, width, height in pixels.
        input_size_wh: W and H.

    Returns:
        (H, W, 3) uint8.
    """
    width, height = input_size_wh
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
    """Cuts out, and if need be shrinks, what of a very large picture the region covers, for OpenCV's 16 bits.

    Returns:
        The part, the (x, y) in the picture of its left upper corner, and the whole factor by which it is shrunk.
    """
    if max(image.shape[:2]) <= _LONGEST_SOURCE_SIDE:
        return image, np.zeros(2, dtype=np.float32), 1
    half = region[2:] * 0.5 + 2
    last = np.array([image.shape[1], image.shape[0]])
    left, top = np.clip(np.floor(region[:2] - half), 0, last - 1).astype(int)
    right, bottom = np.clip(np.ceil(region[:2] + half), [left + 1, top + 1], last).astype(int)
    part = image[top:bottom, left:right]
    shrink = -(-max(part.shape[:2]) // _LONGEST_SOURCE_SIDE)
    if shrink > 1:
        size = [max(side // shrink, 1) for side in part.shape[1::-1]]
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return part, np.array([left, top], dtype=np.float32), shrink


class Normalizer:
    """Turns crops into the network's input: ``(value - mean) / std`` per channel.

    Args:
        mean: Per channel of the network's input, 0 to 255.
        std: The same.
        swap_red_blue: Whether the network takes red first; crops have blue first.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], swap_red_blue: bool) -> None:
        self._order = (2, 1, 0) if swap_red_blue else (0, 1, 2)
        values = np.arange(256, dtype=np.float32)
        # A byte has 256 values: looking the results up is exact, and quicker than computing them.
        self._tables = [(values - np.float32(m)) / np.float32(s) for m, s in zip(mean, std, strict=True)]

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Maps crops (B, H, W, 3) uint8, blue first, to the network's input (B, 3, H, W) float32."""
        batch = np.empty((crops.shape[0], 3, *crops.shape[1:3]), dtype=np.float32)
        for channel, (source, table) in enumerate(zip(self._order, self._tables, strict=True)):
            np.take(table, crops[..., source], out=batch[:, channel], mode='clip')
        return batch
