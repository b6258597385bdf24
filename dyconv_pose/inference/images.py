"""Images as people have them, in any orientation, depth and format, whole or broken: read and drawn on.

Pixels are (height, width, 3) uint8, blue first.
"""

import io
import warnings
from pathlib import Path

import cv2
import numpy as np

from .results import KeypointSet, Poses

#: By how a file begins: what its last part begins with, and what ends it.
_ENDS = {b'\xff\xd8': (b'\xff\xda', b'\xff\xd9'), b'\x89PNG': (b'IDAT', b'IEND')}

_OUTLINE = (32, 32, 32)  # about the lines that are drawn


def is_truncated(content: bytes) -> bool:
    """Whether the end of a JPEG or PNG file is missing, which decoders fill with grey without a word."""
    ends = [marks for start, marks in _ENDS.items() if content.startswith(start)]
    return any(content.rfind(end) <= content.rfind(last) for last, end in ends)


def read_image(path: str | Path) -> np.ndarray:
    """Reads an image upright, in 8-bit colour, over white where it is transparent; a JPEG as MMPose does.

    A FileNotFoundError is raised where there is no file, a ValueError where it is empty, truncated, or no image.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'An image must be an existing file, got "{path}".')
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f'The image "{path}" cannot be read: {error.strerror or error}.') from error
    if not content or is_truncated(content):
        raise ValueError(f'The image "{path}" is cut short after {len(content)} bytes: copy it again.')
    readers = (_read_by_pillow, _read_by_opencv)  # Pillow knows transparency and more formats
    for read in readers[::-1] if content.startswith(b'\xff\xd8') else readers:
        if (image := read(content)) is not None:
            return image
    raise ValueError(f'The image "{path}" is in no format that can be read, or is damaged: convert it to JPEG or PNG.')


def as_image(image: object, channel_order: str | None = None) -> np.ndarray:
    """Makes pixels of a path, a PIL image, or an array, which is grey (height, width), or in a ``channel_order``.

    A ValueError is raised for anything else, and as in :func:`read_image`.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if hasattr(image, 'getexif') and hasattr(image, 'convert'):
        return _from_pillow(image)
    if not isinstance(image, np.ndarray):
        raise ValueError(f'An image must be a path, a NumPy array or a PIL image, got {type(image).__name__}.')
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f'An image array must be uint8 of shape (height, width, 3) or (height, width), got {image.dtype} of shape '
            f'{image.shape}.'
        )
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if channel_order not in ('bgr', 'rgb'):
        raise ValueError(
            f"channel_order must be 'bgr' (as cv2.imread gives) or 'rgb' (as PIL gives) for an array in colour, got "
            f'{channel_order!r}: the two cannot be told apart.'
        )
    return np.ascontiguousarray(image[..., ::-1] if channel_order == 'rgb' else image)


def _read_by_opencv(content: bytes) -> np.ndarray | None:
    """OpenCV's reading, upright by EXIF, or None where it cannot read the file."""
    if content[4:8] == b'ftyp':
        return None  # AVIF, whose rotation it leaves out
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong is said in one sentence
    try:
        return cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _read_by_pillow(content: bytes) -> np.ndarray | None:
    """Pillow's reading, or None where it cannot read the file."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', PIL.Image.DecompressionBombWarning)  # a large image is welcome
            return _from_pillow(PIL.Image.open(io.BytesIO(content)))
    except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def _from_pillow(image: object) -> np.ndarray:
    """A PIL image upright, in 8-bit colour, over white."""
    import PIL.Image
    import PIL.ImageOps

    image = PIL.ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert('RGBA')
        image = PIL.Image.alpha_composite(PIL.Image.new('RGBA', image.size, 'white'), image)
    elif image.mode.startswith('I;16') or image.mode in ('I', 'F'):
        return cv2.cvtColor(_to_bytes(np.asarray(image)), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Grey values of more than 8 bits as bytes: 16-bit numbers by their upper byte, others by their range."""
    if values.dtype == np.uint16 or (values.dtype == np.int32 and values.min() >= 0 and values.max() > 255):
        return (np.clip(values, 0, 65535) >> 8).astype(np.uint8)
    top = 255.0 if values.max() > 1 else 1.0
    return (np.clip(values / top, 0, 1) * 255).astype(np.uint8)


def draw_poses(
    image: np.ndarray, poses: Poses, keypoint_set: KeypointSet, threshold: float = 0.3, boxes: bool = False
) -> np.ndarray:
    """Draws the skeletons of keypoints that score at least the threshold, and boxes if asked, onto a new image."""
    canvas = image.copy()
    for person in range(len(poses)):
        # OpenCV draws at sixteenths of a pixel.
        keypoints, box = (
            np.clip(16 * part[person], -1e6, 1e6).round().astype(int) for part in (poses.keypoints, poses.boxes)
        )
        size = min(np.sqrt(max(np.prod((box[2:] - box[:2]) / 16), 1)), max(image.shape[:2]))
        width = int(np.clip(round(size / 90), 1, 12))  # about a hundredth of the person's size
        if boxes:
            cv2.rectangle(canvas, box[:2], box[2:], (255, 255, 255), max(width // 2, 1), cv2.LINE_AA, 4)
        shown = poses.scores[person] >= threshold
        for limb, color in zip(keypoint_set.skeleton, keypoint_set.limb_colors, strict=True):
            if shown[list(limb)].all():
                start, end = keypoints[list(limb)]
                cv2.line(canvas, start, end, _OUTLINE, width + 2, cv2.LINE_AA, 4)
                cv2.line(canvas, start, end, color[::-1], width, cv2.LINE_AA, 4)
        for index in np.flatnonzero(shown):
            cv2.circle(canvas, keypoints[index], 16 * (width + 2), _OUTLINE, -1, cv2.LINE_AA, 4)
            color = keypoint_set.keypoint_colors[index][::-1]
            cv2.circle(canvas, keypoints[index], 16 * (width + 1), color, -1, cv2.LINE_AA, 4)
    return canvas


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
