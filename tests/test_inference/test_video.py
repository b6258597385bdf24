"""Videos: frames upright, with the times that the file gives them, in and out."""

import json
import struct
from fractions import Fraction

import cv2
import numpy as np
import pytest

from dyconv_pose.inference.run import Run, RunOptions
from dyconv_pose.inference.video import VideoReader, VideoWriter

#: Milliseconds of a video with a variable frame rate.
TIMES = [0, 40, 70, 200, 1000, 1033, 1066]


@pytest.fixture
def video(tmp_path, image_of):
    """A video of an odd width and a variable frame rate, with one frame for each of the times."""
    writer = VideoWriter(tmp_path / 'walk.mp4', Fraction(10), Fraction(1, 1000))
    for index, milliseconds in enumerate(TIMES):
        writer.write(image_of((40 + 8 * index, 80), (180, 240 - 8 * index), (241, 320)), milliseconds)
    writer.close()
    return tmp_path / 'walk.mp4'


def times_of(path):
    reader = VideoReader(path)
    return [float(pts * reader.time_base) for _, pts in reader]


def test_written_times_are_read_again(video):
    assert times_of(video) == pytest.approx([one / 1000 for one in TIMES])
    frame = next(iter(VideoReader(video)))[0]
    assert frame.shape == (320, 242, 3)  # even sides, as H.264 needs them
    capture = cv2.VideoCapture(str(video))
    np.testing.assert_array_equal(frame, capture.read()[1])


@pytest.mark.parametrize('every', [1, 3])
def test_results_and_overlay_keep_the_times(tmp_path, spots, video, every):
    class Silent:
        def start(self, what, total):
            assert total == len(TIMES)

        def advance(self):
            pass

    run = Run(spots, tmp_path / 'out', RunOptions(detect_every=every, heatmaps=True), Silent())
    rows = json.loads(run([str(video)]).read_text())
    assert [row['time'] for row in rows] == [one / 1000 for one in TIMES]
    for kind in ('overlays', 'heatmaps'):
        assert times_of(tmp_path / f'out/{kind}/walk.mp4') == pytest.approx([one / 1000 for one in TIMES])


@pytest.mark.parametrize(
    'matrix',
    [
        (0, 0x10000, 0, -0x10000, 0, 0, 320 << 16, 0, 0x40000000),
        (0, -0x10000, 0, 0x10000, 0, 0, 0, 242 << 16, 0x40000000),
        (-0x10000, 0, 0, 0, -0x10000, 0, 242 << 16, 320 << 16, 0x40000000),
    ],
)
def test_a_video_of_a_turned_telephone_is_upright(video, matrix):
    content = video.read_bytes()
    place = content.index(struct.pack('>9i', 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000), content.index(b'tkhd'))
    video.write_bytes(content[:place] + struct.pack('>9i', *matrix) + content[place + 36 :])
    np.testing.assert_array_equal(next(iter(VideoReader(video)))[0], cv2.VideoCapture(str(video)).read()[1])


def test_a_video_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / 'file').touch()
    writer = VideoWriter(tmp_path / 'file/a.mp4', Fraction(10), Fraction(1, 10))
    with pytest.raises(ValueError, match=r'a\.mp4" cannot be written'):
        writer.write(np.zeros((4, 4, 3), np.uint8), 0)
    writer.close()


def test_a_stream_that_changes_its_size_keeps_that_of_the_video(tmp_path):
    writer = VideoWriter(tmp_path / 'a.mp4', Fraction(10), Fraction(1, 10))
    for index, size in enumerate([(32, 48), (64, 64), (31, 47)]):
        writer.write(np.zeros((*size, 3), np.uint8), index)
    writer.close()
    assert [frame.shape for frame, _ in VideoReader(tmp_path / 'a.mp4')] == [(32, 48, 3)] * 3
