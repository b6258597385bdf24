"""Skeletons, boxes and heatmaps drawn onto images (height, width, 3) uint8, blue first."""

import os
import sys

import cv2
import numpy as np

from .results import KeypointSet, Poses

_OUTLINE = (32, 32, 32)

#: Images of up to so many bytes are drawn on at twice their size and shrunk again, which smooths the lines.
_SMOOTH_BYTES = 10_000_000


def draw_poses(
    image: np.ndarray, poses: Poses, keypoint_set: KeypointSet, threshold: float = 0.3, boxes: bool = False
) -> np.ndarray:
    """Draws the skeletons of keypoints that score at least the threshold, and boxes if asked, onto a new image.

    Colours are the dataset's, and lines as thick as fits the persons.
    """
    import supervision as sv  # here, since it takes most of a second

    scale = 2 if image.size <= _SMOOTH_BYTES else 1
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    limbs = list(zip(keypoint_set.skeleton, keypoint_set.limb_colors, strict=True))
    for index, box in enumerate(poses.boxes):
        size = min(np.sqrt(max(np.prod(box[2:] - box[:2]), 1)), max(image.shape[:2]))
        width = scale * int(np.clip(round(size / 90), 1, 12))  # about a hundredth of the person's size
        if boxes:
            left, top, right, bottom = (round(scale * float(number)) for number in box)
            cv2.rectangle(canvas, (left, top), (right, bottom), (255, 255, 255), max(width // 2, scale))
        points = np.clip(poses.keypoints[[index]], -1e5, 1e5) * scale + 0.5
        visible = poses.scores[[index]] >= threshold
        person = sv.KeyPoints(xy=points, visible=visible)
        for (start, end), color in limbs:
            for line_color, line_width in ((_OUTLINE, width + 2 * scale), (color, width)):
                sv.EdgeAnnotator(sv.Color(*line_color), line_width, [(start + 1, end + 1)]).annotate(canvas, person)
        for color in dict.fromkeys(keypoint_set.keypoint_colors):
            has_color = [one == color for one in keypoint_set.keypoint_colors]
            joints = sv.KeyPoints(xy=points, visible=visible & has_color)
            sv.VertexAnnotator(sv.Color(*_OUTLINE), width + 2 * scale).annotate(canvas, joints)
            sv.VertexAnnotator(sv.Color(*color), width + scale).annotate(canvas, joints)
    return canvas if scale == 1 else cv2.resize(canvas, image.shape[1::-1], interpolation=cv2.INTER_AREA)


def require_display() -> None:
    """Raises a ValueError where a window cannot be shown."""
    if sys.platform == 'linux' and not {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ):
        raise ValueError('--show needs a display, and there is none here: have the images written to a folder instead.')


def draw_heatmaps(image: np.ndarray, poses: Poses) -> np.ndarray:
    """Lays the persons' heatmaps over the image: at each pixel the highest of all keypoints and persons."""
    heat = np.zeros(image.shape[:2], dtype=np.float32)
    maps = () if poses.heatmaps is None else poses.heatmaps
    for heatmaps, (left, top, right, bottom) in zip(maps, poses.regions, strict=False):
        scale_x, scale_y = heatmaps.shape[2] / (right - left), heatmaps.shape[1] / (bottom - top)
        matrix = np.array([[scale_x, 0, -left * scale_x], [0, scale_y, -top * scale_y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        np.maximum(heat, cv2.warpAffine(heatmaps.max(axis=0), matrix, heat.shape[::-1], flags=flags), out=heat)
    share = np.clip(heat, 0, 1)[..., None]
    colors = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = np.minimum(share * 1.5, 0.85)
    return (image * 0.6 * (1 - weight) + colors * weight).astype(np.uint8)
