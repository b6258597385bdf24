"""A whole run over files: what is written, and what a bad input does to the rest."""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from inference_boxes import CocoBoxes
from inference_files import kind_of_file
from inference_run import Run, RunOptions
from inference_video import VideoReader

from dyconv_pose.inference import Boxes


class Notes:
    """A progress that remembers."""

    def __init__(self):
        self.failed, self.done, self.started = [], 0, []

    def start(self, what, total):
        self.started.append((what, total))

    def advance(self):
        self.done += 1

    def fail(self, message):
        self.failed.append(message)


def go(estimator, inputs, out, **options):
    notes = Notes()
    run = Run(estimator, out, RunOptions(**options), notes)
    return run, json.loads(run([str(one) for one in inputs]).read_text(encoding='utf-8')), notes


def put(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def put_video(path, frames, code='MJPG'):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path, spots, image_of):
    folder = tmp_path / 'with space/Ünï 図'
    put(folder / 'b.png', image_of((60, 80), (180, 240)))
    put(folder / 'deep/b.png', image_of((100, 80), (120, 200)))
    put(folder / 'b.jpg', image_of((60, 200), (180, 100)))
    (folder / 'text.jpg').write_text('no image')
    (folder / 'empty.png').touch()
    (folder / 'notes.txt').write_text('not looked at')
    summary, rows, notes = go(spots, [folder, tmp_path / 'missing.jpg'], tmp_path / 'out')
    assert summary.images == 3 and summary.persons.total() == 3 and notes.done == 5
    failed = sorted(Path(text.split('"')[1]).name for text in summary.failures)
    assert failed == ['empty.png', 'missing.jpg', 'text.jpg']
    found = {row['file_name']: row['keypoints'] for row in rows}
    for name, wanted in {
        'b.png': (60, 80, 180, 240), 'deep/b.png': (100, 80, 120, 200), 'b.jpg': (60, 200, 180, 100)
    }.items():  # fmt: skip
        keypoints = found[name]
        assert np.abs(np.array(keypoints[:2] + keypoints[3:5]) - wanted).max() < 10
    overlays = tmp_path / 'out/overlays'
    assert sorted(str(path.relative_to(overlays)) for path in overlays.rglob('*.jpg')) == [
        'b.jpg', 'b_2.jpg', 'deep/b.jpg'
    ]  # fmt: skip
    assert len({row['image_id'] for row in rows}) == 3


def test_a_folder_is_read_by_content(tmp_path, spots, image_of):
    """What is readable is read, images that are not are named, and other files are said to be left out."""
    folder, pixels = tmp_path / 'in', image_of((60, 80), (180, 240))
    folder.mkdir()
    images = PIL.Image.fromarray(pixels[..., ::-1].copy())
    images.save(folder / 'a.jfif', format='JPEG')
    images.save(folder / 'b.mpo', format='MPO', save_all=True, append_images=[images])
    images.save(folder / 'c', format='PNG')
    images.save(folder / 'd.heic.dat', format='TIFF')
    (folder / 'e.heic').write_bytes(b'\0\0\0\x18ftypheic' + bytes(200))
    (folder / 'f.jxl').write_bytes(b'\0\0\0\x0cJXL \r\n\x87\n' + bytes(200))
    (folder / 'g.bin').write_bytes(b'\0\0\0\x18ftypheix' + bytes(200))
    (folder / 'notes.txt').write_text('BMW, P2 and GIFs')
    (folder / 'song.m4a').write_bytes(b'\0\0\0\x18ftypM4A ' + bytes(200))
    (folder / '.hidden.jpg').write_text('no image')
    videos = {'v.3gp', 'v.ogv', 'v.m2ts', 'v.unknown'}
    for name in videos:
        put_video(tmp_path / 'v.mp4', [pixels] * 3, 'mp4v')
        (tmp_path / 'v.mp4').rename(folder / name)
    run, rows, _ = go(spots, [folder], tmp_path / 'out', overlays=False)
    assert {row['file_name'] for row in rows} == {
        'a.jfif',
        'b.mpo',
        'c',
        'd.heic.dat',
        'v.3gp',
        'v.ogv',
        'v.m2ts',
        'v.unknown',
    }
    assert run.images == 4 + 4 * 3
    assert [Path(text.split('"')[1]).name for text in run.failures] == ['e.heic', 'f.jxl', 'g.bin']
    assert all('convert it to JPEG or PNG' in text for text in run.failures)
    assert [Path(name).name for name in run.left_out] == ['notes.txt', 'song.m4a']


def test_a_folder_without_images_is_refused(tmp_path, spots):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(ValueError, match='must hold images or videos, none of its 1 files is one'):
        go(spots, [tmp_path], tmp_path / 'out')


@pytest.mark.parametrize(
    ('start', 'kind'),
    [
        (b'\0\0\x01\xba', 'video'),
        (b'OggS' + bytes(24) + b'\x80theora', 'video'),
        (b'OggS' + bytes(24) + b'\x01vorbis', ''),
        (b'\0\0\0\x14ftyp3gp5', 'video'),
        (b'\0\0\0\x08wide', 'video'),
        (b'\x06\x0e+4', 'video'),
        (b'\0\0\0\x01g', 'video'),
        (b'G' + bytes(187) + b'G' + bytes(187) + b'G', 'video'),
        (b'\0\0\0\0G' + bytes(191) + b'G', 'video'),
        (b'\0\0\0\x1cftypavif', 'image'),
        (b'P5 2 2 255 ', 'image'),
        (b'GET / HTTP', ''),
        (b'Bug-free, FLV too', ''),
        (b'P1 and BMW', ''),
        (b'{"images": []}', ''),
    ],
)
def test_kinds_by_what_a_file_begins_with(tmp_path, start, kind):
    (tmp_path / 'a').write_bytes(start + bytes(300))
    assert kind_of_file(tmp_path / 'a') == kind


def test_images_named_by_numbers_keep_them_as_ids(tmp_path, spots, image_of):
    for name in ('000000000139.png', '000000000785.png'):
        put(tmp_path / 'in' / name, image_of((60, 80), (180, 240)))
    _, rows, _ = go(spots, [tmp_path / 'in/*.png'], tmp_path / 'out', overlays=False)
    assert [row['image_id'] for row in rows] == [139, 785]
    assert not (tmp_path / 'out/overlays').exists()


def test_overlays_show_the_skeleton_and_heatmaps_where_the_spots_are(tmp_path, spots, image_of):
    put(tmp_path / 'a.png', image_of((60, 80), (180, 240)))
    spots.keep_heatmaps = True
    go(spots, [tmp_path / 'a.png'], tmp_path / 'out', heatmaps=True)
    overlay = cv2.imread(str(tmp_path / 'out/overlays/a.jpg')).astype(int)
    assert overlay[160, 120, 1] > 150 and overlay[160, 120, [0, 2]].max() < 100  # the green limb, half way
    heat = cv2.imread(str(tmp_path / 'out/heatmaps/a.jpg')).astype(int).sum(axis=2)
    assert heat.shape == (320, 240) and min(heat[80, 60], heat[240, 180]) > 250 and heat[40:, 200:].min() < 30


@pytest.mark.parametrize('every', [1, 3])
def test_videos_are_read_to_their_end_and_their_overlay_plays(tmp_path, spots, image_of, every):
    frames = [image_of((40 + 8 * index, 80), (180, 240 - 8 * index)) for index in range(12)]
    put_video(tmp_path / 'walk on.avi', frames)
    summary, rows, notes = go(spots, [tmp_path / 'walk on.avi'], tmp_path / 'out', detect_every=every)
    assert summary.images == 12 and not summary.failures and notes.started == [('walk on.avi', 12)]
    assert [row['frame'] for row in rows] == list(range(12))
    for index, row in enumerate(rows):
        assert np.abs(np.array(row['keypoints'][:2]) - (40 + 8 * index, 80)).max() < 10
    overlay = VideoReader(str(tmp_path / 'out/overlays/walk on.mp4'))
    assert sum(1 for _ in overlay) == 12 and overlay.rate == 10


def test_a_video_cut_short_gives_its_frames_and_is_named(tmp_path, spots, image_of):
    path = tmp_path / 'a.avi'
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (320, 240, 3), dtype=np.uint8) for _ in range(30)]
    put_video(path, frames)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    summary, _, _ = go(spots, [path], tmp_path / 'out')
    assert 5 < summary.images < 25
    assert len(summary.failures) == 1 and 'cut short' in summary.failures[0]


@pytest.mark.parametrize('name', ['broken.mp4', 'headless.mp4'])
def test_a_video_that_cannot_be_opened_is_named(tmp_path, spots, image_of, name):
    path = tmp_path / name
    if name == 'broken.mp4':
        path.write_text('no video')
    else:
        put_video(path, [image_of((60, 80), (180, 240))] * 20, 'mp4v')
        path.write_bytes(path.read_bytes()[:-2000])  # the index is at the end
    put(tmp_path / 'a.png', image_of((60, 80), (180, 240)))
    summary, rows, _ = go(spots, [path, tmp_path / 'a.png'], tmp_path / 'out')
    assert len(summary.failures) == 1 and name in summary.failures[0] and len(rows) == 1


def test_max_frames_ends_a_video(tmp_path, spots, image_of):
    put_video(tmp_path / 'a.avi', [image_of((60, 80), (180, 240))] * 9)
    summary, _, notes = go(spots, [tmp_path / 'a.avi'], tmp_path / 'out', max_frames=4)
    assert summary.images == 4 and notes.started == [('a.avi', 4)] and not summary.failures


def test_results_are_written_although_the_run_is_interrupted(tmp_path, spots, image_of):
    for index in range(9):
        put(tmp_path / f'in/{index}.png', image_of((60, 80), (180, 240)))
    notes = Notes()

    def interrupt():
        notes.done += 1
        if notes.done == 3:
            raise KeyboardInterrupt

    notes.advance = interrupt
    with pytest.raises(KeyboardInterrupt):
        Run(spots, tmp_path / 'out', RunOptions(), notes)([str(tmp_path / 'in')])
    assert len(json.loads((tmp_path / 'out/results.json').read_text())) == 3


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path, spots):
    (tmp_path / 'file').touch()
    (tmp_path / 'a.png').touch()
    for place in (tmp_path / 'file', '/proc/none'):
        with pytest.raises(ValueError, match='output folder'):
            Run(spots, place, RunOptions(), Notes())([str(tmp_path / 'a.png')])


def test_detecting_on_every_zeroth_frame_is_refused(tmp_path, spots):
    with pytest.raises(ValueError, match='n-th'):
        Run(spots, tmp_path / 'out', RunOptions(detect_every=0), Notes())


def test_nothing_found_at_all_is_one_sentence(tmp_path, spots):
    with pytest.raises(ValueError, match='existing file or folder'):
        go(spots, [tmp_path / '*.jpg'], tmp_path / 'out')


def test_a_window_without_a_display_is_refused(tmp_path, spots, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    monkeypatch.setattr('sys.platform', 'linux')
    with pytest.raises(ValueError, match='display'):
        Run(spots, tmp_path / 'out', RunOptions(show=True), Notes())


def test_ids_come_from_the_annotations_and_unknown_images_are_named(tmp_path, spots, image_of):
    for name in ('street.png', 'other.png', 'small.png', 'nobody.png'):
        put(tmp_path / 'in' / name, image_of((60, 80), (180, 240)))
    images = [
        dict(id=7, file_name='street.png', width=240, height=320),
        dict(id=8, file_name='small.png', width=24, height=32),
        dict(id=9, file_name='nobody.png', width=240, height=320),
    ]
    box = dict(image_id=7, category_id=1, iscrowd=0, keypoints=[1, 1, 2, 5, 5, 2], id=1)
    annotations = [dict(box, bbox=[0, 0, 240, 320]), dict(box, bbox=[1, 2, 3, 4], iscrowd=1)]
    (tmp_path / 'ann.json').write_text(json.dumps(dict(images=images, annotations=annotations)))
    spots.detector = CocoBoxes(tmp_path / 'ann.json')
    summary, rows, _ = go(spots, [tmp_path / 'in'], tmp_path / 'out')
    assert [row['image_id'] for row in rows] == [7] and summary.images == 2
    assert any('other.png' in text for text in summary.failures)
    assert any('small.png' in text and '24x32' in text for text in summary.failures)


@pytest.mark.parametrize('kind', [str, Path])
def test_boxes_of_a_file_are_found_by_the_name_of_the_image(tmp_path, spots, image_of, kind):
    put(tmp_path / 'street.png', image_of((60, 80), (180, 240)))
    boxes = [dict(image_id=3, category_id=1, iscrowd=0, keypoints=[1, 1, 2], bbox=[0, 0, 240, 320], id=1)]
    images = [dict(id=3, file_name='street.png', width=240, height=320)]
    (tmp_path / 'ann.json').write_text(json.dumps(dict(images=images, annotations=boxes)))
    spots.detector = CocoBoxes(tmp_path / 'ann.json')
    assert len(spots.predict(kind(tmp_path / 'street.png')).keypoints) == 1


class Blind:
    """A detector that finds nobody."""

    can_miss = True

    def find(self, image):
        return Boxes.of([])


def test_where_nobody_is_detected_the_whole_image_is_looked_at(tmp_path, spots, image_of):
    """A person who is sure is kept, with the box of the keypoints; otherwise nobody is there, and this is told."""
    spots.detector = Blind()
    put(tmp_path / 'in/somebody.png', image_of((60, 80), (180, 240)))
    put(tmp_path / 'in/nobody.png', np.zeros((320, 240, 3), np.uint8))
    run, rows, _ = go(spots, [tmp_path / 'in'], tmp_path / 'out')
    assert run.persons == {'somebody.png': 1, 'nobody.png': 0} and not run.failures
    (row,) = rows
    left, top, width, height = row['bbox']
    assert 20 < left < 60 and 30 < top < 80 and 180 < left + width < 230 and 240 < top + height < 290
    assert np.abs(np.array(row['keypoints'][:2] + row['keypoints'][3:5]) - (60, 80, 180, 240)).max() < 10
    assert (cv2.imread(str(tmp_path / 'out/overlays/nobody.jpg')) < 3).all()
    assert len(spots.predict(tmp_path / 'in/somebody.png')) == 1 and not len(spots.predict(tmp_path / 'in/nobody.png'))


def test_results_of_an_earlier_run_are_replaced_and_this_is_known(tmp_path, spots, image_of):
    put(tmp_path / 'a.png', image_of((60, 80), (180, 240)))
    assert [go(spots, [tmp_path / 'a.png'], tmp_path / 'out')[0].has_replaced for _ in range(2)] == [False, True]
