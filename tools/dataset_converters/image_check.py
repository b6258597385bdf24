"""Decodes every image of a dataset as training does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from dyconv_pose.datasets.rules import AnnotationTable, Finding, findings_of

#: By how a file begins: what the last part of a whole file begins with, and the mark that ends it.
_ENDS = {b'\xff\xd8': (b'\xff\xda', b'\xff\xd9'), b'\x89PNG': (b'IDAT', b'IEND')}

_NUM_THREADS = 4


def decoding_findings(
    folder: Path, table: AnnotationTable, on_progress: Callable[[int], None] | None = None
) -> list[Finding]:
    """Decodes the images that are there.

    Args:
        folder: Where the files are.
        table: The annotations, with the images' names and sizes.
        on_progress: Called with the number of images that are done.

    Returns:
        What is wrong.
    """
    rows = [row for row, name in enumerate(table.file_names) if (folder / name).is_file()]
    unreadable, truncated = [], []
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        results = pool.map(lambda row: examine_image(folder / table.file_names[row]), rows)
        for done, (row, (problem, _)) in enumerate(zip(rows, results, strict=True), 1):
            name = table.file_names[row]
            if problem == 'truncated':
                truncated.append(name)
            elif problem:
                unreadable.append(f'{name}: {problem}')
            if on_progress:
                on_progress(done)
    return findings_of(
        [
            ('unreadable-image', f'images in "{folder}" cannot be read', unreadable, 'file'),
            ('truncated-image', f'images in "{folder}" end before their last row', truncated, 'file'),
        ]
    )


def examine_image(path: Path) -> tuple[str, tuple[int, int] | None]:
    """Decodes an image.

    Some versions of OpenCV decode a file that was cut short, with grey below, and say nothing; so its end is looked for
    too.

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
