"""Things in front of people: boxes, posts, bushes, fences."""

import cv2
import numpy as np

from .background import colour_tuple, foliage, scene_colour


def draw_object(rng: np.random.Generator, image: np.ndarray, box_xywh: np.ndarray) -> np.ndarray:
    """Draws something that hides part of a person.

    Args:
        rng: Random generator.
        image: (H, W, 3) uint8 BGR, drawn on in place.
        box_xywh: (4,) the person's box, pixels.

    Returns:
        (H, W) bool, the pixels that the object covers.
    """
    before = image.copy()
    x, y, w, h = box_xywh
    kind = rng.choice(['box', 'post', 'bush', 'fence'], p=[0.45, 0.2, 0.2, 0.15])
    colour = scene_colour(rng)
    if kind == 'box':
        left, wide = int(x + w * rng.uniform(-0.4, 0.7)), int(w * rng.uniform(0.4, 1.1))
        top = int(y + h * rng.uniform(0.62, 0.88))
        foot = int(y + h * rng.uniform(1.0, 1.06))
        _crate(image, (left, top, left + wide, foot), colour)
    elif kind == 'post':
        at, thick = int(x + w * rng.uniform(0.05, 0.95)), max(2, int(h * rng.uniform(0.02, 0.05)))
        foot = int(y + 1.03 * h)
        cv2.rectangle(image, (at, int(y - 0.3 * h)), (at + thick, foot), colour_tuple(colour), -1)
        shade = colour_tuple(0.7 * colour)
        cv2.rectangle(image, (at + thick // 2, int(y - 0.3 * h)), (at + thick, foot), shade, -1)
    elif kind == 'bush':
        size = int(max(4, h * rng.uniform(0.1, 0.2)))
        foliage(rng, image, (int(x + w * rng.uniform(0, 1)), int(y + 0.97 * h)), size)
    else:
        top, thick = int(y + h * rng.uniform(0.5, 0.7)), max(1, int(0.02 * h))
        for row in (top, int(top + 0.17 * h)):
            far = (int(x + 1.6 * w), row + thick)
            cv2.rectangle(image, (int(x - 0.6 * w), row), far, colour_tuple(colour), -1)
    return (image != before).any(-1)


def _crate(image: np.ndarray, box_xyxy: tuple[int, int, int, int], colour: np.ndarray) -> None:
    left, top, right, foot = box_xyxy
    depth = max(2, (foot - top) // 8)
    lid = np.array([[left, top], [right, top], [right - depth, top - depth],
                    [left + depth, top - depth]], np.int32)  # fmt: skip
    cv2.fillConvexPoly(image, lid, colour_tuple(1.2 * colour), cv2.LINE_AA)
    cv2.rectangle(image, (left, top), (right, foot), colour_tuple(0.85 * colour), -1)
    inset = max(2, depth // 2)
    far = (right - inset, foot - inset)
    cv2.rectangle(image, (left + inset, top + inset), far, colour_tuple(0.65 * colour), 1)
