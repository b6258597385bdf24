"""Memory that a process keeps for the next step instead of giving it back to the system and asking for it again."""

import ctypes
import sys

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

# Parameters of glibc's mallopt (man 3 mallopt).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4

#: Whether this process was told to; the C library cannot be asked.
_is_kept = False


def keep_freed_memory() -> bool:
    """Makes glibc keep the memory that is freed from now on; returns whether the C library is glibc.

    By default it gives every large block back to the system, which clears every page when it is asked for again. A step
    of a network on a CPU frees and asks for all its features; at 256x192 that takes as long as computing them.
    """
    global _is_kept
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    _is_kept = mallopt is not None and bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
    return _is_kept


def is_freed_memory_kept() -> bool:
    """Whether :func:`keep_freed_memory` has worked in this process."""
    return _is_kept


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Keeps the memory of one step for the next, for training on a CPU: as much as was ever needed."""

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Changes the allocator before the network runs for the first time."""
        if not keep_freed_memory():
            runner.logger.warning('KeepMemoryHook does nothing here: the C library is not glibc.')
