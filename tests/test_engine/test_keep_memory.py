"""Freed memory is kept by the process: asked for again, it costs no page faults."""

import ctypes
import multiprocessing
import resource
import sys

import pytest
import torch

from dyconv_pose.engine import speed


def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def measure(results):
    """Before and after, in a copy of this process, which earlier tests may have told to keep memory."""
    speed._is_kept = False
    for parameter, default in ((speed._M_MMAP_MAX, 65536), (speed._M_TRIM_THRESHOLD, 128 * 1024)):
        ctypes.CDLL(None).mallopt(parameter, default)
    given_back = [page_faults() for _ in range(3)]
    assert not speed.is_freed_memory_kept()
    kept = speed.keep_freed_memory()
    assert speed.is_freed_memory_kept() == kept
    results.put((kept, given_back[-1], [page_faults() for _ in range(8)]))


@pytest.mark.skipif(
    sys.platform != 'linux' or not hasattr(ctypes.CDLL(None), 'mallopt'), reason='the C library is not glibc'
)
def test_memory_is_kept():
    fork = multiprocessing.get_context('fork')
    results = fork.SimpleQueue()
    process = fork.Process(target=measure, args=(results,))
    process.start()
    process.join()
    assert process.exitcode == 0
    kept, faults_before, faults_after = results.get()
    assert kept
    # The heap may grow more than once before it settles: a small object can come to lie where the large one was.
    assert max(faults_after[-3:]) < faults_before / 100


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(speed.sys, 'platform', 'win32')
    assert speed.keep_freed_memory() is False
