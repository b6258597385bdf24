"""What ``tools/infer.py`` writes: results, images and videos.

Pixels are (height, width, 3) uint8, blue first. Times are whole numbers of a ``time_base``, in seconds.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dyconv_pose.files import write_atomically


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
