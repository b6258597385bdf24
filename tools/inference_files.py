"""The files of ``tools/infer.py``: images and videos that inputs mean, told by content; results and overlays."""

import glob
import json
import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dyconv_pose.files import write_atomically

#: How files begin: images (JPEG, PNG, GIF, BMP, TIFF, WebP, JPEG 2000, PNM, AVIF and HEIF, JPEG XL), sound in MP4, and
#: videos (MP4 and its relatives, Matroska, AVI, Ogg, WMV, FLV, MPEG, its transport streams, MXF, Y4M, raw H.264 ...).
_STARTS = {
    'image': rb'\xff\xd8\xff|\x89PNG|GIF8|BM.{4}\0{4}|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|\0\0\0\x0cj|\xffO\xffQ'
    rb'|P[1-6]\s+[\d#]|.{4}ftyp(avi|hei|hev|mif1|msf1)|\xff\n|\0\0\0\x0cJXL',
    '': rb'.{4}ftypM4[AB]',
    'video': rb'.{4}(ftyp|moov|mdat)|\0.{3}(wide|free|skip)|\x1aE\xdf\xa3|RIFF.{4}AVI|OggS.{,400}theora|0&\xb2u'
    rb'|FLV\x01|\0\0\x01[\xb3\xba]|G.{187}G.{187}G|.{4}G.{191}G|\x06\x0e\+4|YUV4|\0\0\0\x01[g\'@]|nut/|\.RMF',
}
#: Endings by which a file that begins in no such way is taken for a damaged or unknown one of a kind.
_ENDINGS = {
    'image': 'avif bmp gif heic heif jfif jp2 jpe jpeg jpg jxl mpo pgm png ppm tif tiff webp',
    'video': '3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv',
}


class Source(NamedTuple):
    """One input."""

    kind: str  # 'image', 'video', 'camera', or '' for another file in a folder
    path: str  # the file, or the camera's number
    name: str  # the path below the folder that was named, or the file's name; results and overlays are called so


def expand(text: str) -> list[Source]:
    """The images and videos that an input means; a ValueError where there are none.

    It is a file, a folder (with all that is in it, told by content), a pattern, or ``webcam`` or ``webcam:1``.
    """
    path, (name, _, number) = Path(text), text.partition(':')
    if name == 'webcam' and (not number or number.isdigit()) and not path.exists():
        return [Source('camera', number or '0', f'webcam_{number or 0}')]
    if path.is_dir():
        inside = [(one, one.relative_to(path)) for one in sorted(path.rglob('*')) if one.is_file()]
        shown = [(one, part) for one, part in inside if not any(name.startswith('.') for name in part.parts)]
        found = [Source(kind_of_file(one), str(one), part.as_posix()) for one, part in shown]
        rule = f'The folder "{text}" must hold images or videos, none of its {len(found)} files is one.'
    else:
        named = map(Path, [text] if path.exists() else sorted(glob.glob(text, recursive=True)))  # noqa: PTH207
        found = [Source(kind_of_file(one) or 'image', str(one), one.name) for one in named if one.is_file()]
        rule = f'An input must be an existing file or folder, or a pattern that matches files, got "{text}".'
    if not any(source.kind for source in found):
        raise ValueError(rule)
    return found


def kind_of_file(path: Path) -> str:
    """``'image'``, ``'video'`` or ``''``, by what a file begins with, or else by its ending."""
    try:
        with path.open('rb') as file:
            start = file.read(600)
    except OSError:
        start = b''
    by_ending = (kind for kind, endings in _ENDINGS.items() if path.suffix[1:].lower() in endings.split())
    by_start = (kind for kind, pattern in _STARTS.items() if re.match(pattern, start, re.DOTALL))
    return next(by_start, next(by_ending, ''))


def write_results(path: Path, rows: list[dict]) -> None:
    """Writes results whole or not at all, one person to a line; a ValueError where the file cannot be written."""
    try:
        write_atomically(path, '[\n' + ',\n'.join(json.dumps(row, ensure_ascii=False) for row in rows) + '\n]\n')
    except OSError as error:
        raise ValueError(
            f'The output folder must be one that can be written into, got "{path.parent}": {error.strerror} (name '
            'another one by --out-dir).'
        ) from error


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes pixels (height, width, 3) uint8, blue first, and the folder; a ValueError where it cannot be written."""
    path, size = Path(path), f'{image.shape[1]}x{image.shape[0]}'
    try:
        is_done, content = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if not is_done:
            raise ValueError(f'The image "{path}" of {size} pixels cannot be encoded.')  # JPEG ends at 65,535 a side
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.tobytes())
    except (cv2.error, OSError) as error:
        raise ValueError(f'The image "{path}" of {size} pixels cannot be written: {error}.') from error
