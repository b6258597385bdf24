"""Checkpoints on the disk: whole or absent, also when there is no room; and what is left when writing fails."""

import os
import resource
import signal
import subprocess

import pytest
from tiny_coco import write_coco
from tiny_training import NUM_IMAGES, stateful_config

from dyconv_pose.apis import train
from dyconv_pose.apis.checkpoint import find_resume_point
from dyconv_pose.engine.loops import SafeBackend
from dyconv_pose.files import write_atomically

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture
def data(tmp_path):
    return write_coco(tmp_path / 'coco', NUM_IMAGES)


def test_file_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    write_atomically(path, b'first')

    def fail(_):
        assert path.read_bytes() == b'first'  # and the new one lies beside it
        assert (tmp_path / 'epoch_1.pth.partial').read_bytes() == b'second'
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr('dyconv_pose.files.os.fsync', fail)
        with pytest.raises(OSError, match='No space'):
            write_atomically(path, b'second')
    assert [file.name for file in tmp_path.iterdir()] == ['epoch_1.pth']
    assert path.read_bytes() == b'first'
    write_atomically(path, b'third')
    assert path.read_bytes() == b'third'


def test_what_is_replaced_goes_last(tmp_path):
    old, new = tmp_path / 'old', tmp_path / 'new'
    old.touch()
    new.touch()
    backend = SafeBackend()
    backend.remove(str(old))
    backend.remove(str(new))
    assert backend.isfile(str(old))
    with pytest.raises(OSError):
        backend.put(b'new', '/proc/none')
    assert old.is_file()
    SafeBackend().put(b'new', str(new))
    assert not old.is_file() and new.read_bytes() == b'new'


@pytest.fixture
def small_disk(tmp_path):
    """A disk of sixty megabytes, to be filled."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip('a small disk is made by "mount", which is not here')
    if done.returncode:
        pytest.skip(f'a small disk cannot be mounted here: {done.stderr.strip()}')
    yield disk
    subprocess.run(['umount', '-l', str(disk)], check=True)


def assert_stops_and_goes_on(config, work_dir, make_room):
    """The run ends with one sentence, its last checkpoint is whole, and with room it goes on from there."""
    with pytest.raises(ValueError, match=r'disk is full .* go on with --resume'):
        train(config.copy())
    point = find_resume_point(work_dir)
    assert point.passed_over == ()
    assert point.epoch in (1, 2, 3)
    assert not list(work_dir.glob('*.partial'))
    make_room()
    assert train(config.copy()).epoch == 4


@pytest.mark.slow
def test_full_disk(data, small_disk, record):
    """With one checkpoint kept: the old one may only go when the new one is there."""
    config = stateful_config(data, small_disk / 'work', ballast=False)
    config.default_hooks.checkpoint.max_keep_ckpts = 1
    filling = small_disk / 'filling'
    first = config.copy()
    first.train_cfg = dict(type='ResumableEpochLoop', max_epochs=1)
    train(first)
    free = os.statvfs(small_disk)
    filling.write_bytes(bytes(free.f_bavail * free.f_frsize - 100_000))
    assert_stops_and_goes_on(config, small_disk / 'work', filling.unlink)
    record('full disk', tmpfs=1)


@pytest.mark.slow
def test_file_size_limit(data, tmp_path, record):
    """A limit on the size of files is met in the middle of a checkpoint, as a quota is."""
    config = stateful_config(data, tmp_path / 'work', ballast=False)
    config.default_hooks.checkpoint.max_keep_ckpts = 1
    first = config.copy()
    first.train_cfg = dict(type='ResumableEpochLoop', max_epochs=1)
    train(first)
    size = (tmp_path / 'work/epoch_1.pth').stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
    try:
        assert_stops_and_goes_on(config, tmp_path / 'work', lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    record('full disk', file_size_limit=1)
