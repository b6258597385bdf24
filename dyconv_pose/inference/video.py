"""Frames of videos and cameras, and videos of frames."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np


class FrameReader:
    """Reads the frames of a video or a camera, one by one.

    Args:
        path: The video's path, or a camera's number.
        camera: Whether ``path`` is a camera's number.

    Attributes:
        frames_promised: How many frames the file's header states, 0 if it states none.
        frames_read: How many were read so far.
        frames_per_second: As the header states, 25 where it does not.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no video that can be read, or there is no such camera.
    """

    def __init__(self, path: str, camera: bool = False) -> None:
        self.path, self.camera, self.frames_read = path, camera, 0
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # quiet: what is wrong is said in one sentence
        if not camera and not Path(path).is_file():
            raise FileNotFoundError(f'A video must be an existing file, got "{path}".')
        self._capture = cv2.VideoCapture(int(path) if camera else path)
        self._first = self._capture.read()[1] if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise ValueError(
                f'There is no camera number {path} that gives pictures: try another number.'
                if camera
                else f'The video "{path}" is empty, damaged, cut short before its index, or of an unknown format.'
            )
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames_promised = int(promised) if not camera and 0 < promised < 1e9 else 0
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.frames_per_second = rate if 1 <= rate <= 1000 else 25.0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields frames (height, width, 3) uint8, blue first, until the end of the file."""
        frame = self._first
        self._first = None
        try:
            while frame is not None:
                self.frames_read += 1
                yield frame
                frame = self._capture.read()[1]
        finally:
            self._capture.release()

    @property
    def cut_short(self) -> bool:
        """Whether noticeably fewer frames came than the header promised (some headers are a few too high)."""
        return self.frames_read < self.frames_promised - max(3, self.frames_promised // 50)


class FrameWriter:
    """Writes frames into an MP4 video that ordinary players play.

    Args:
        path: The file.
        frames_per_second: How fast it plays.
    """

    def __init__(self, path: Path, frames_per_second: float) -> None:
        self.path, self.frames_per_second = path, frames_per_second
        self._writer: cv2.VideoWriter | None = None
        self._size: tuple[int, int] = (0, 0)

    def write(self, frame: np.ndarray) -> None:
        """Appends a frame; the first one sets the video's size, rounded up to even numbers.

        Raises:
            ValueError: The file cannot be written.
        """
        if self._writer is None:
            self._size = frame.shape[1] + frame.shape[1] % 2, frame.shape[0] + frame.shape[0] % 2
            code = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self.path), code, self.frames_per_second, self._size)
            if not self._writer.isOpened():
                raise ValueError(f'The video "{self.path}" cannot be written: is there a codec for MP4, and room?')
        if frame.shape[1::-1] != self._size:
            right, bottom = self._size[0] - frame.shape[1], self._size[1] - frame.shape[0]
            if (right, bottom) in ((0, 1), (1, 0), (1, 1)):
                frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            else:  # a camera or stream that changes its size
                frame = cv2.resize(frame, self._size)
        self._writer.write(frame)

    def close(self) -> None:
        """Finishes the file."""
        if self._writer is not None:
            self._writer.release()
