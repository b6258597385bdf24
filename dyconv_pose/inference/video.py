"""Videos with the timestamps of their frames, read and written by FFmpeg (PyAV), and cameras by OpenCV.

Frames are (height, width, 3) uint8, blue first and upright. Times are whole numbers of a ``time_base``, in seconds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np


class VideoReader:
    """The frames of a video file with their times, to be iterated over once.

    A FileNotFoundError is raised where there is no such file, a ValueError where it is no video that can be read.
    """

    def __init__(self, path: str | Path) -> None:
        import av  # here, since images need no FFmpeg

        if not Path(path).is_file():
            raise FileNotFoundError(f'A video must be an existing file, got "{path}".')
        try:
            container = av.open(str(path), metadata_errors='replace')
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            self._frames = self._decode(container.demux(stream), av.error.FFmpegError)
            self._first = next(self._frames)
        except (av.error.FFmpegError, IndexError, OSError, StopIteration, ValueError) as error:
            raise ValueError(
                f'The video "{path}" is empty, damaged, cut short before its index, or of an unknown format.'
            ) from error
        self.frames_read, self.rate = 0, stream.average_rate or Fraction(25)  # frames per second on average
        self.time_base = stream.time_base or 1 / self.rate
        seconds = (stream.duration or 0) * self.time_base or Fraction(container.duration or 0, av.time_base)
        self.frames_promised = stream.frames or max(int(seconds * self.rate), 0)  # by the header; 0: it does not say

    @staticmethod
    def _decode(packets: Iterator, damage: type[Exception]) -> Iterator:
        while True:
            try:
                yield from next(packets).decode()
            except StopIteration:
                return
            except damage:
                pass  # the packet is left out

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields each frame and its time; times that are missing or do not grow are replaced."""
        frame, step = self._first, max(round(1 / (self.rate * self.time_base)), 1)
        pts = (frame.pts or 0) - step
        while frame is not None:
            pts = pts + step if frame.pts is None else max(frame.pts, pts + 1)
            self.frames_read += 1
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format='bgr24'), frame.rotation // 90)), pts
            frame = next(self._frames, None)

    @property
    def is_cut_short(self) -> bool:
        """Whether noticeably fewer frames came than the header promised (some headers are a few too high)."""
        return self.frames_read < self.frames_promised - max(3, self.frames_promised // 50)


class CameraReader:
    """The frames of a camera with their times, like :class:`VideoReader` without an end."""

    rate, time_base, frames_promised, is_cut_short = Fraction(25), Fraction(1, 1000), 0, False

    def __init__(self, number: str) -> None:
        self.frames_read, self._capture = 0, cv2.VideoCapture(int(number))
        if not self._capture.read()[0]:
            raise ValueError(f'There is no camera number {number} that gives images: try another number.')

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields each frame and the milliseconds since the first."""
        start = time.monotonic()
        while (frame := self._capture.read()[1]) is not None:
            self.frames_read += 1
            yield frame, int(1000 * (time.monotonic() - start))


class VideoWriter:
    """Writes frames into an MP4 file (H.264), each shown at its time; the file is made with the first frame.

    The first frame sets the video's size, rounded up to even numbers. A ValueError is raised where the file cannot be
    written.
    """

    def __init__(self, path: Path, rate: Fraction, time_base: Fraction) -> None:
        self.path, self.rate, self.time_base, self._container = path, rate, time_base, None

    def write(self, frame: np.ndarray, pts: int) -> None:
        """Appends a frame."""
        import av

        with self._one_sentence():
            if self._container is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._container = av.open(str(self.path), 'w')
                self._stream = self._container.add_stream('libx264', self.rate, {'preset': 'veryfast'})
                self._stream.height, self._stream.width = (side + side % 2 for side in frame.shape[:2])
                self._stream.pix_fmt, self._stream.codec_context.time_base = 'yuv420p', self.time_base
            size = self._stream.width, self._stream.height
            right, bottom = np.subtract(size, frame.shape[1::-1]).tolist()
            if {right, bottom} <= {0, 1}:
                frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            else:  # a camera or stream that changes its size
                frame = cv2.resize(frame, size)
            encoded = av.VideoFrame.from_ndarray(frame, format='bgr24')
            encoded.pts, encoded.time_base = pts, self.time_base
            self._container.mux(self._stream.encode(encoded))

    def close(self) -> None:
        """Finishes the file."""
        if self._container is not None:
            with self._one_sentence():
                self._container.mux(self._stream.encode())
                self._container.close()

    @contextmanager
    def _one_sentence(self) -> Iterator[None]:
        import av

        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f'The video "{self.path}" cannot be written: {error} (is the disk full?)') from error
