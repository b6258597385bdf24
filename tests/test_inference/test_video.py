"""Videos: frames upright, with the times that the file gives them, in and out."""

import json
import struct
from fractions import Fraction
from unittest.mock import Mock

import av
import cv2
import numpy as np
import pytest
from inference_run import Run, RunOptions
from inference_video import VideoReader, VideoWriter

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


def write(path, times, codec, until, size_wh=(64, 48), **options):
    """Writes a video whose frames come at the times in milliseconds, the last one shown until another."""
    with av.open(str(path), 'w', **options) as container:
        stream = container.add_stream(codec, 30)
        (stream.width, stream.height), stream.pix_fmt = size_wh, 'yuv420p'
        stream.codec_context.time_base, stream.codec_context.max_b_frames = Fraction(1, 1000), 0
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 256, (len(times), size_wh[1] // 8, size_wh[0] // 8, 3), np.uint8)
        frames = [av.VideoFrame.from_ndarray(one) for one in coarse.repeat(8, axis=1).repeat(8, axis=2)]
        packets = []
        for frame, milliseconds in zip(frames, times, strict=True):
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        packets[-1].duration = int((until - times[-1]) / 1000 / packets[-1].time_base)
        container.mux(packets)
    return path


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
    run = Run(spots, tmp_path / 'out', RunOptions(detect_every=every, heatmaps=True), Mock())
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


CONTAINERS = [
    ('a.mp4', 'libx264', {}),
    ('a.mov', 'mpeg4', {}),
    ('a.3gp', 'mpeg4', {}),
    ('a.mkv', 'libx264', {}),
    ('a.webm', 'libvpx', {}),
    ('live.webm', 'libvpx', dict(options={'live': '1'})),
    ('a.ts', 'libx264', {}),
    ('a.m2ts', 'libx264', dict(format='mpegts', options={'mpegts_m2ts_mode': '1'})),
    ('a.flv', 'flv', {}),
    ('a.wmv', 'wmv2', {}),
    ('a.avi', 'mpeg4', {}),
]
#: These don't say how long the last frame lasts.
ENDLESS = ('live.webm', 'a.ts', 'a.m2ts', 'a.flv', 'a.wmv', 'a.avi')


@pytest.mark.parametrize(('name', 'codec', 'options'), CONTAINERS)
def test_a_variable_frame_rate_in_any_container(tmp_path, spots, name, codec, options):
    """All frames at their own times, none missed, and an overlay that lasts as long."""
    path = write(tmp_path / name, TIMES, codec, 4000, **options)
    run = Run(spots, tmp_path / 'out', RunOptions(), Mock())
    rows = json.loads(run([str(path)]).read_text())
    assert not run.failures
    expected = np.array(TIMES) / 1000 + times_of(path)[0]  # a stream may begin at some hundredths of a second
    assert 0 <= expected[0] < 0.1
    assert [row['time'] for row in rows] == pytest.approx(expected, abs=0.002)
    overlay = tmp_path / f'out/overlays/{path.stem}.mp4'
    assert times_of(overlay) == pytest.approx(expected, abs=0.002)
    with av.open(str(overlay)) as container:
        assert name in ENDLESS or container.duration / 1e6 == pytest.approx(4, abs=0.01)
        assert container.duration / 1e6 >= expected[-1]


@pytest.mark.parametrize(('name', 'codec', 'options'), CONTAINERS)
def test_a_video_cut_short_in_any_container(tmp_path, name, codec, options):
    times = range(0, 2000, 40)
    path = write(tmp_path / name, times, codec, 2000, (160, 120), **options)
    content = path.read_bytes()
    if name in ('a.mp4', 'a.mov', 'a.3gp'):  # with the index at the front, as on the web
        path = write(tmp_path / name, times, codec, 2000, (160, 120), options={'movflags': 'faststart'})
        content = path.read_bytes()
    whole = VideoReader(path)
    assert len(list(whole)) == len(times) and not whole.is_cut_short
    path.write_bytes(content[: len(content) // 2])
    reader = VideoReader(path)
    assert 10 < len(list(reader)) < 45
    assert reader.is_cut_short or name in ('live.webm', 'a.ts', 'a.m2ts', 'a.wmv')  # streams, which promise nothing


def test_a_still_end_is_no_missing_end(tmp_path):
    """A recorder notes how long it ran, and writes no frame where nothing moves."""
    path = write(tmp_path / 'a.webm', [0, 40, 80, 200], 'libvpx', 240)
    content = path.read_bytes()
    place = content.index(b'\x44\x89\x88') + 3  # the duration in milliseconds
    path.write_bytes(content[:place] + struct.pack('>d', 4000.0) + content[place + 8 :])
    reader = VideoReader(path)
    assert len(list(reader)) == 4 and not reader.is_cut_short
    assert float(reader.end * reader.time_base) == 4


def test_joined_files_go_on_where_the_first_ends(tmp_path):
    path = write(tmp_path / 'a.ts', range(0, 2000, 40), 'libx264', 2000)
    once = times_of(path)
    path.write_bytes(path.read_bytes() * 2)
    assert np.diff(times_of(path)) == pytest.approx(0.04, abs=0.002) and len(times_of(path)) == 2 * len(once)


def test_a_file_without_images_is_no_video(tmp_path):
    with av.open(str(tmp_path / 'a.mp4'), 'w') as container:
        stream = container.add_stream('aac', 48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp', layout='mono')
        frame.sample_rate = 48000
        container.mux([*stream.encode(frame), *stream.encode()])
    with pytest.raises(ValueError, match='without images'):
        VideoReader(tmp_path / 'a.mp4')


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
