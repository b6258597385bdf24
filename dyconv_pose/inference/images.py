"""Reading pictures as people send them: any orientation, channels, depth and format, whole or broken."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

#: Endings by which pictures are recognised in a folder; a file named outright is read whatever its ending.
PICTURE_ENDINGS = frozenset(
    ('.avif', '.bmp', '.gif', '.jp2', '.jpe', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
)

_JPEG_START, _JPEG_SCAN, _JPEG_END = b'\xff\xd8\xff', b'\xff\xda', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG', b'IEND'


def read_picture(path: str | Path) -> np.ndarray:
    """Reads a picture upright, in 8-bit colour, over white where it is transparent.

    An ordinary JPEG gives the pixels that ``cv2.imread`` gives, which MMPose uses.

    Args:
        path: The file.

    Returns:
        (height, width, 3) uint8, blue first.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is empty, cut short, or no picture that can be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'A picture must be an existing file, got "{path}".')
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f'The picture "{path}" cannot be read: {error.strerror or error}.') from error
    if not content:
        raise ValueError(f'A picture must not be empty, and "{path}" has 0 bytes: copy it again.')
    if _is_cut_short(content):
        raise ValueError(f'The picture "{path}" is cut short after {len(content)} bytes: copy it again.')
    if not content.startswith(_JPEG_START):
        image = _read_transparent(content)
        if image is not None:
            return image
    image = _decode(content)
    if image is None:
        image = _read_by_pillow(content)
    if image is None:
        raise ValueError(
            f'The picture "{path}" is in no format that can be read, or is damaged: convert it to JPEG or PNG.'
        )
    return image


def as_picture(picture: object, channel_order: str | None = None) -> np.ndarray:
    """Makes a picture of a path, an array or a PIL image.

    Args:
        picture: A path, an array (height, width, 3) or (height, width) uint8, or a ``PIL.Image.Image``.
        channel_order: Of an array with colours: ``'bgr'`` as OpenCV reads pictures, or ``'rgb'``.

    Returns:
        (height, width, 3) uint8, blue first.

    Raises:
        FileNotFoundError: The path does not exist.
        ValueError: The picture cannot be read, or the array's shape, type or order is not as above.
    """
    if isinstance(picture, (str, Path)):
        return read_picture(picture)
    if isinstance(picture, np.ndarray):
        return _from_array(picture, channel_order)
    if hasattr(picture, 'getexif') and hasattr(picture, 'convert'):
        return _from_pillow(picture)
    raise ValueError(f'A picture must be a path, a NumPy array or a PIL image, got {type(picture).__name__}.')


def _from_array(array: np.ndarray, channel_order: str | None) -> np.ndarray:
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or array.size == 0
        or array.shape[2:] not in ((), (1,), (3,))
    ):
        raise ValueError(
            f'A picture array must be uint8 of shape (height, width, 3) or (height, width), got {array.dtype} of shape '
            f'{array.shape}.'
        )
    if array.ndim == 2 or array.shape[2] == 1:
        return cv2.cvtColor(array, cv2.COLOR_GRAY2BGR)
    if channel_order not in ('bgr', 'rgb'):
        raise ValueError(
            f"channel_order must be 'bgr' (as cv2.imread gives) or 'rgb' (as PIL gives) for an array in colour, got "
            f'{channel_order!r}: the two cannot be told apart.'
        )
    return np.ascontiguousarray(array[..., ::-1] if channel_order == 'rgb' else array)


def _is_cut_short(content: bytes) -> bool:
    """Whether the end is missing: decoders would fill a JPEG's or PNG's missing rows with grey, or zeros."""
    if content.startswith(_JPEG_START):
        # Inside compressed data 0xff is followed by 0x00, so that the last scan's end can't be mistaken.
        return content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN)
    return content.startswith(_PNG_START) and _PNG_END not in content[-4096:]


def _decode(content: bytes) -> np.ndarray | None:
    """OpenCV's reading, which applies the EXIF rotation, or None where it can't read the file."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong is said in one sentence
    try:
        return cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _open_by_pillow(content: bytes) -> object | None:
    if find_spec('PIL') is None:
        return None
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)  # a large picture is welcome
            return Image.open(io.BytesIO(content))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def _read_transparent(content: bytes) -> np.ndarray | None:
    """The picture over white if it has transparency, else None."""
    picture = _open_by_pillow(content)
    if picture is None or not picture.has_transparency_data:
        return None
    return _pixels(picture)


def _read_by_pillow(content: bytes) -> np.ndarray | None:
    picture = _open_by_pillow(content)
    return None if picture is None else _pixels(picture)


def _pixels(picture: object) -> np.ndarray | None:
    try:
        return _from_pillow(picture)
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for damaged data
        return None


def _from_pillow(picture: object) -> np.ndarray:
    """A PIL image upright, in 8-bit colour, over white."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        picture = picture.convert('RGBA')
        picture = Image.alpha_composite(Image.new('RGBA', picture.size, 'white'), picture)
    elif picture.mode.startswith('I;16') or picture.mode in ('I', 'F'):
        return cv2.cvtColor(_to_bytes(np.asarray(picture)), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(np.asarray(picture.convert('RGB'))[..., ::-1])


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Grey values of more than 8 bits as bytes: 16-bit numbers by their upper byte, others by their range."""
    if values.dtype == np.uint16 or (values.dtype == np.int32 and values.min() >= 0 and values.max() > 255):
        return (np.clip(values, 0, 65535) >> 8).astype(np.uint8)
    top = 255.0 if values.max() > 1 else 1.0
    return (np.clip(values / top, 0, 1) * 255).astype(np.uint8)
