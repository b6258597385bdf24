"""Skeletons, boxes and heatmaps drawn into pictures."""

import cv2
import numpy as np

from .keypoint_set import KeypointSet
from .types import Poses

_OUTLINE = (32, 32, 32)


def draw_poses(
    image: np.ndarray, poses: Poses, keypoint_set: KeypointSet, threshold: float = 0.3, boxes: bool = False
) -> np.ndarray:
    """Draws skeletons, in the data set's colours and of a width that fits the persons.

    Args:
        image: (height, width, 3) uint8, blue first.
        poses: The persons.
        keypoint_set: Limbs and colours.
        threshold: Keypoints that score less are not drawn.
        boxes: Whether the persons' boxes are drawn too.

    Returns:
        A new picture of the same size.
    """
    canvas = np.ascontiguousarray(image).copy()
    for keypoints, scores, box in zip(poses.keypoints, poses.scores, poses.boxes, strict=True):
        width = _line_width(box, canvas.shape)
        if boxes:
            left, top, right, bottom = (round(float(number)) for number in box)
            cv2.rectangle(canvas, (left, top), (right, bottom), (255, 255, 255), max(width // 2, 1), cv2.LINE_AA)
        points = [tuple(int(number) for number in point) for point in np.round(np.clip(keypoints, -1e6, 1e6))]
        visible = scores >= threshold
        for (start, end), color in zip(keypoint_set.skeleton, keypoint_set.limb_colors, strict=True):
            if visible[start] and visible[end]:
                cv2.line(canvas, points[start], points[end], _OUTLINE, width + 2, cv2.LINE_AA)
                cv2.line(canvas, points[start], points[end], color[::-1], width, cv2.LINE_AA)
        for point, shown, color in zip(points, visible, keypoint_set.keypoint_colors, strict=True):
            if shown:
                cv2.circle(canvas, point, width + 2, _OUTLINE, -1, cv2.LINE_AA)
                cv2.circle(canvas, point, width + 1, color[::-1], -1, cv2.LINE_AA)
    return canvas


def draw_heatmaps(image: np.ndarray, poses: Poses) -> np.ndarray:
    """Lays the persons' heatmaps over the picture: for each pixel the highest of all keypoints and persons.

    Args:
        image: (height, width, 3) uint8, blue first.
        poses: The persons, with their heatmaps.

    Returns:
        A new picture of the same size.
    """
    height, width = image.shape[:2]
    heat = np.zeros((height, width), dtype=np.float32)
    for heatmaps, (left, top, right, bottom) in zip(
        () if poses.heatmaps is None else poses.heatmaps, poses.regions, strict=True
    ):
        # Each heatmap is spread over the part of its region that lies in the picture, nothing else is touched.
        x0, y0 = max(int(left), 0), max(int(top), 0)
        x1, y1 = min(int(np.ceil(right)), width), min(int(np.ceil(bottom)), height)
        if x1 <= x0 or y1 <= y0:
            continue
        scale_x, scale_y = heatmaps.shape[2] / (right - left), heatmaps.shape[1] / (bottom - top)
        matrix = np.array([[scale_x, 0, (x0 - left) * scale_x], [0, scale_y, (y0 - top) * scale_y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        spread = cv2.warpAffine(heatmaps.max(axis=0), matrix, (x1 - x0, y1 - y0), flags=flags)
        part = heat[y0:y1, x0:x1]
        np.maximum(part, spread, out=part)
    share = np.clip(heat, 0, 1)[..., None]
    colors = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = np.minimum(share * 1.5, 0.85)
    return (image * 0.6 * (1 - weight) + colors * weight).astype(np.uint8)


def _line_width(box: np.ndarray, shape: tuple[int, ...]) -> int:
    """About a hundredth of a person's size, but no hair and no beam."""
    size = min(float(np.sqrt(max((box[2] - box[0]) * (box[3] - box[1]), 1))), float(max(shape[:2])))
    return int(np.clip(round(size / 90), 1, 12))
