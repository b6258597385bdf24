"""Videos with the timestamps of their frames, read and written by FFmpeg (PyAV), and cameras by OpenCV.

Frames are (height, width, 3) uint8, blue first and upright. Times are whole numbers of a ``time_base``, in seconds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
            stream = container.streams.best('video')
            stream.thread_type = 'AUTO'
            self._end, self._lost, self._is_partial = Fraction(0), 0, False
            self._frames = self._decode(container.demux(), stream.index, av.error.FFmpegError)
            self._frame = next(self._frames)
        except (av.error.FFmpegError, AttributeError, OSError, StopIteration, ValueError) as error:
            raise ValueError(
                f'The video "{path}" is empty, damaged, cut short before its index, or without images.'
            ) from error
        self._format = container.format.name.partition(',')[0]
        self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)  # frames per second on average
        self.time_base = stream.time_base or 1 / self.rate
        self._start = Fraction(container.start_time or 0, av.time_base)  # seconds; players call it zero
        self._seconds = Fraction(container.duration or 0, av.time_base)  # by the header
        self.frames_read, self.frames_promised = 0, stream.frames or int(self._seconds * self.rate)  # 0: unknown
        self._pts, self._is_short = 0, _ends_early(path)

    def _decode(self, packets: Iterator, index: int, damage: type[Exception]) -> Iterator:
        """The frames of a stream; the others are read along, since the header has the duration of the longest."""
        with suppress(damage):
            for packet in packets:
                if packet.pts is not None:
                    self._end = max(self._end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.size:
                    self._is_partial = packet.is_corrupt
                if packet.stream.index == index:
                    try:
                        yield from packet.decode()
                    except damage:
                        self._lost += 1

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields each frame and its time, zero at the start of the file; times that are missing are replaced."""
        step, shift = max(round(1 / (self.rate * self.time_base)), 1), -round(self._start / self.time_base)
        self._pts = -step
        while (frame := self._frame) is not None:
            own = frame.dts if self._format == 'avi' else frame.pts  # AVI has no times of presentation
            pts = self._pts + step if own is None else own + shift
            if pts < self._pts - 1 / self.time_base:  # more than a second back: files that were joined
                shift, pts = shift + self._pts + step - pts, self._pts + step
            pts = max(pts, self._pts + 1)
            self.frames_read, self._pts, self.end = self.frames_read + 1, pts, pts + (frame.duration or step)
            yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format='bgr24'), frame.rotation // 90)), pts
            self._frame = next(self._frames, None)
        seconds = self._end - self._start if self.is_cut_short else max(self._end - self._start, self._seconds)
        self.end = max(self.end, round(seconds / self.time_base))

    @property
    def is_cut_short(self) -> bool:
        """Whether noticeably less came than the header promised, or much was damaged, once all is read."""
        # Elsewhere than in MP4 the last frame may last any time, where nothing moves.
        missing = self._seconds - (self._end - self._start) if self._format == 'mov' else 0
        is_short = self._is_short or missing > max(3 / self.rate, self._seconds / 50)
        return self._is_partial or is_short or self._lost > max(3, self.frames_read // 50)


def _ends_early(path: str | Path) -> bool:
    """Whether a file ends before the size that AVI and Matroska note at its start; one that was streamed notes none."""
    with Path(path).open('rb') as file:
        head = file.read(4096)
    start, size = 8, int.from_bytes(head[4:8], 'little') if head.startswith(b'RIFF') else 0
    if head.startswith(b'\x1aE\xdf\xa3'):
        start = head.find(b'\x18\x53\x80\x67') + 4  # the segment
        width = 9 - head[start].bit_length()  # of the size, in bytes, by its leading zeros
        start, unknown = start + width, (1 << 7 * width) - 1
        size = int.from_bytes(head[start - width : start], 'big') & unknown
        size = 0 if size == unknown else size
    return start + size > Path(path).stat().st_size


class CameraReader:
    """The frames of a camera with their times, like :class:`VideoReader` without an end."""

    rate, time_base, frames_promised, is_cut_short, end = Fraction(25), Fraction(1, 1000), 0, False, 0

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
    """Writes frames into an MP4 file (H.264), each shown at its time; a ValueError where it cannot be written.

    The file is made with the first frame, which sets the video's size, rounded up to even numbers.
    """

    def __init__(self, path: Path, rate: Fraction, time_base: Fraction) -> None:
        self.path, self.rate, self.time_base, self._container = path, rate, time_base, None

    def write(self, frame: np.ndarray, pts: int) -> None:
        """Appends a frame."""
        import av

        with self._one_sentence():
            if self._container is None:
                # Where frames are coded out of order, FFmpeg mistakes the duration of a variable frame rate.
                options = {'preset': 'veryfast', 'bf': '0'}
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._container = av.open(str(self.path), 'w')
                self._stream = self._container.add_stream('libx264', min(self.rate, 60), options)
                self._stream.height, self._stream.width = (side + side % 2 for side in frame.shape[:2])
                self._stream.pix_fmt, self._stream.codec_context.time_base = 'yuv420p', self.time_base
            size = self._stream.width, self._stream.height
            right, bottom = np.subtract(size, frame.shape[1::-1]).tolist()
            if {right, bottom} <= {0, 1}:
                frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            else:  # a camera or stream that changes its size
                frame = cv2.resize(frame, size)
            encoded = av.VideoFrame.from_ndarray(frame, format='bgr24')
            encoded.pts, encoded.time_base, self._last = pts, self.time_base, pts
            self._container.mux(self._stream.encode(encoded))

    def close(self, end: int = 0) -> None:
        """Finishes the file; the last frame is shown until the time ``end``, if that is later than a frame's usual."""
        if self._container is not None:
            with self._one_sentence():
                for packet in self._stream.encode():
                    if packet.pts == self._last and end > packet.pts:
                        packet.duration = end - packet.pts
                    self._container.mux(packet)
                self._container.close()

    @contextmanager
    def _one_sentence(self) -> Iterator[None]:
        import av

        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise ValueError(f'The video "{self.path}" cannot be written: {error} (is the disk full?)') from error
