"""The output folder: overlays under the names of their pictures, and the results."""

import os
from pathlib import Path

import cv2
import numpy as np


class OutputFolder:
    """A folder that results are written into.

    Args:
        path: The folder, made if it does not exist.

    Raises:
        ValueError: It cannot be made or written into.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._taken: set[Path] = set()
        probe = self.path / f'.writable-{os.getpid()}'
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ValueError(
                f'The output folder must be one that can be written into, got "{path}": {error.strerror}.'
            ) from error

    def place(self, kind: str, name: str, ending: str) -> Path:
        """A path for a file that belongs to a picture or video, different for each call.

        Args:
            kind: The folder in the output folder, such as ``'overlays'``.
            name: The source's name, with folders.
            ending: The new file's, such as ``'.jpg'``.
        """
        parts = [part for part in Path(name).with_suffix('').parts if part not in ('..', '/')]
        path, count = self.path.joinpath(kind, *parts), 1
        wanted = path = path.with_name(path.name + ending)
        while path in self._taken:
            count += 1
            path = wanted.with_name(f'{wanted.stem}_{count}{ending}')
        self._taken.add(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f'The output folder "{path.parent}" cannot be made: {error.strerror}.') from error
        return path

    def write_picture(self, path: Path, image: np.ndarray) -> None:
        """Writes a picture (height, width, 3) uint8, blue first, in the format of the path's ending.

        Raises:
            ValueError: It cannot be written.
        """
        try:
            done, content = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        except cv2.error:
            done = False
        if not done:  # JPEG ends at 65,535 pixels a side
            raise ValueError(f'The picture "{path}" of {image.shape[1]}x{image.shape[0]} pixels cannot be encoded.')
        try:
            path.write_bytes(content.tobytes())
        except OSError as error:
            raise ValueError(f'The picture "{path}" cannot be written: {error.strerror}.') from error
