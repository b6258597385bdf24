"""How far boxes lie outside their images."""

import numpy as np

#: Pixels by which a box or point may leave the image unnoticed: rounding, and COCO's own.
TOLERANCE = 2.0

#: Boxes and points outside by more than this share of the image, where most are, are of another format or size.
FAR_SHARE = 0.1


def box_faults(boxes_xywh: np.ndarray, sizes_wh: np.ndarray) -> tuple[np.ndarray, ...]:
    """Which boxes (N, 4) have a fault, by the sizes (N, 2) of their images (NaN where unknown).

    Returns:
        Five (N,) bool: negative, empty, wholly outside, outside by more than a tenth of the image, and just outside.
    """
    start, extent = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    end = start + extent
    negative = (extent < 0).any(axis=1)
    empty = ~negative & (extent == 0).any(axis=1)
    sized = ~negative & ~empty
    away = sized & ((end <= 0) | (start >= sizes_wh)).any(axis=1)
    beyond = np.maximum(-start, end - sizes_wh)
    far = sized & (beyond > FAR_SHARE * sizes_wh).any(axis=1)
    out = sized & ~away & (beyond > TOLERANCE).any(axis=1)
    return negative, empty, away, far, out
