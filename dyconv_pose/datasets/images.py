"""The rules that image files have to keep: they exist, and where asked, they can be decoded whole."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from .annotations import AnnotationTable
from .findings import ERROR, WARNING, Finding, finding

#: By how a file begins: what the last part of a whole file begins with, and the mark that ends it.
_ENDS = {b'\xff\xd8': (b'\xff\xda', b'\xff\xd9'), b'\x89PNG': (b'IDAT', b'IEND')}

_NUM_THREADS = 4


def check_images(
    folder: Path,
    table: AnnotationTable,
    is_needed: np.ndarray,
    decode: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> list[Finding]:
    """Looks for the image files of annotations.

    Args:
        folder: Where the files are.
        table: The annotations.
        is_needed: (I,) bool, which images are read in training or testing; others may be missing.
        decode: Whether to decode them too.
        on_progress: Called with the number of images that are done.

    Returns:
        What is wrong.
    """
    present = _existing(folder, table.file_names)
    missing = ~present
    names = np.array(table.file_names, dtype=object)
    message = f'image files are missing in "{folder}"'
    findings = finding('missing-image', ERROR, message, names[missing & is_needed], 'file')
    message = f'image files without persons are missing in "{folder}"'
    findings += finding('missing-image', WARNING, message, names[missing & ~is_needed], 'file')
    if decode:
        rows = np.flatnonzero(present)
        findings += _decoding_findings(folder, names[rows], table.image_sizes_wh[rows], on_progress or (lambda _: None))
    return findings


def _existing(folder: Path, names: list[str]) -> np.ndarray:
    """(I,) bool; one listing of the folder instead of a look-up for each file, which is slow on network disks."""
    listed = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    return np.array([name in listed or ('/' in name and (folder / name).is_file()) for name in names], dtype=bool)


def _decoding_findings(
    folder: Path, names: Iterable[str], sizes_wh: np.ndarray, on_progress: Callable[[int], None]
) -> list[Finding]:
    unreadable, truncated, resized = [], [], []
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        results = pool.map(lambda name: examine_image(folder / name), names)
        for done, (name, size_wh, (problem, found_wh)) in enumerate(zip(names, sizes_wh, results, strict=True), 1):
            if problem == 'truncated':
                truncated.append(name)
            elif problem:
                unreadable.append(f'{name}: {problem}')
            elif found_wh != tuple(size_wh):
                resized.append(f'{name}: {found_wh[0]}x{found_wh[1]}, annotated {size_wh[0]:g}x{size_wh[1]:g}')
            on_progress(done)
    findings = finding('unreadable-image', ERROR, f'images in "{folder}" cannot be read', unreadable, 'file')
    message = f'images in "{folder}" end before their last row'
    findings += finding('truncated-image', ERROR, message, truncated, 'file')
    message = f'images in "{folder}" have another size than annotated'
    return findings + finding('image-size', WARNING, message, resized, 'file')


def examine_image(path: Path) -> tuple[str, tuple[int, int] | None]:
    """Decodes an image as training does.

    Some versions of OpenCV decode a file that was cut short, with grey below, and say nothing; so its end is
    looked for too.

    Returns:
        The problem (``''`` where there is none, ``'truncated'``, or words), and the size (width, height).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return error.strerror or 'not readable', None
    if not content:
        return 'empty file', None
    for beginning, (last_part, end) in _ENDS.items():
        if content.startswith(beginning) and content.rfind(end) < content.rfind(last_part):
            return 'truncated', None
        if content.startswith(beginning) and end not in content:
            return 'truncated', None
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    return ('no image', None) if image is None else ('', image.shape[1::-1])
