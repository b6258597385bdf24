"""Videos with the timestamps of their frames, read and written by FFmpeg (PyAV), and cameras by OpenCV.

Frames are (height, width, 3) uint8, blue first and upright. Times are whole numbers of a ``time_base``, in seconds.
"""

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np


class VideoReader:
    """The frames of a video file with their times; to be iterated over once.

    Attributes:
        rate: Frames per second on average.
        time_base: The unit of the times.
        frames_promised: How many frames the file's header states, 0 if it states none.
        frames_read: How many were read so far.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no video that can be read.
    """

    def __init__(self, path: str | Path) -> None:
        import av  # here, since images need no FFmpeg

        if not Path(path).is_file():
            raise FileNotFoundError(f'A video must be an existing file, got "{path}".')
        self._error, self.frames_read = av.error.FFmpegError, 0
        try:
            self._container = av.open(str(path), metadata_errors='replace')
            self._stream = stream = self._container.streams.video[0]
            stream.thread_type = 'AUTO'
            self._frames = self._decoded()
            self._first = next(self._frames)
        except (av.error.FFmpegError, IndexError, OSError, StopIteration, ValueError) as error:
            raise ValueError(
                f'The video "{path}" is empty, damaged, cut short before its index, or of an unknown format.'
            ) from error
        self.rate = stream.average_rate or Fraction(25)
        self.time_base = stream.time_base or 1 / self.rate
        seconds = (stream.duration or 0) * self.time_base or Fraction(self._container.duration or 0, av.time_base)
        self.frames_promised = stream.frames or max(int(seconds * self.rate), 0)

    def _decoded(self) -> Iterator:
        packets = self._container.demux(self._stream)
        while True:
            try:
                yield from next(packets).decode()
            except StopIteration:
                return
            except self._error:
                pass  # a damaged packet is left out

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields each frame and its time; times that are missing or do not grow are replaced."""
        step, frame, pts = max(round(1 / (self.rate * self.time_base)), 1), self._first, None
        while frame is not None:
            earliest = None if pts is None else pts + 1
            pts = frame.pts if frame.pts is not None else 0 if pts is None else pts + step
            pts = pts if earliest is None else max(pts, earliest)
            self.frames_read += 1
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format='bgr24'), frame.rotation // 90)), pts
            frame = next(self._frames, None)
        self._container.close()

    @property
    def is_cut_short(self) -> bool:
        """Whether noticeably fewer frames came than the header promised (some headers are a few too high)."""
        return self.frames_read < self.frames_promised - max(3, self.frames_promised // 50)


class CameraReader:
    """The frames of a camera with their times; like :class:`VideoReader`, without an end.

    Raises:
        ValueError: There is no camera of that number.
    """

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
    """Writes frames into an MP4 file (H.264), each shown at its time.

    Args:
        path: The file; it is made with the first frame.
        rate: Frames per second on average.
        time_base: The unit of the times.
    """

    def __init__(self, path: Path, rate: Fraction, time_base: Fraction) -> None:
        self.path, self.rate, self.time_base, self._container = path, rate, time_base, None

    def write(self, frame: np.ndarray, pts: int) -> None:
        """Appends a frame; the first one sets the video's size, rounded up to even numbers.

        Raises:
            ValueError: The file cannot be written.
        """
        import av

        try:
            if self._container is None:
                self._open(frame.shape[1] + frame.shape[1] % 2, frame.shape[0] + frame.shape[0] % 2)
            right, bottom = self._stream.width - frame.shape[1], self._stream.height - frame.shape[0]
            if {right, bottom} <= {0, 1}:
                frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            else:  # a camera or stream that changes its size
                frame = cv2.resize(frame, (self._stream.width, self._stream.height))
            encoded = av.VideoFrame.from_ndarray(frame, format='bgr24')
            encoded.pts, encoded.time_base = pts, self.time_base
            self._container.mux(self._stream.encode(encoded))
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f'The video "{self.path}" cannot be written: {error} (is the disk full?)') from error

    def _open(self, width: int, height: int) -> None:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self.path), 'w')
        self._stream = self._container.add_stream('libx264', rate=self.rate, options={'preset': 'veryfast'})
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, 'yuv420p'
        self._stream.codec_context.time_base = self.time_base

    def close(self) -> None:
        """Finishes the file."""
        if self._container is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
