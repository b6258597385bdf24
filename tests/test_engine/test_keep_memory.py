"""Freed memory is kept by the process: asked for again, it costs no page faults."""

import json
import subprocess
import sys

import pytest

_PROGRAM = """
import json, resource, sys, torch
from dyconv_pose.engine.speed import is_freed_memory_kept, keep_freed_memory

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = [page_faults() for _ in range(3)]
assert not is_freed_memory_kept()
kept = keep_freed_memory()
assert is_freed_memory_kept() == kept
print(json.dumps([kept, given_back[-1], [page_faults() for _ in range(8)]]))
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc only')
def test_memory_is_kept():
    done = subprocess.run([sys.executable, '-c', _PROGRAM], capture_output=True, text=True, check=True)
    kept, faults_before, faults_after = json.loads(done.stdout.splitlines()[-1])
    if not kept:
        pytest.skip('the C library is not glibc')
    # The heap may grow more than once before it settles: a small object can come to lie where the large one was.
    assert max(faults_after[-3:]) < faults_before / 100


def test_elsewhere_it_does_nothing(monkeypatch):
    from dyconv_pose.engine import speed

    monkeypatch.setattr(speed.sys, 'platform', 'win32')
    assert speed.keep_freed_memory() is False
