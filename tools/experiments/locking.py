"""A lock on a run's folder, which ends with the process that holds it, however that ends."""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InProgressError(Exception):
    """Another process has the run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder while the block runs.

    The lock belongs to this process: data-loading processes that outlive it for a moment do not keep it.

    Raises:
        InProgressError: Another process holds it; the message says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('a+') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InProgressError(f'is in progress elsewhere ({file.read().strip() or "unknown process"})') from error
        file.truncate(0)
        file.write(f'process {os.getpid()} on {platform.node()}')
        file.flush()
        yield


def is_locked(folder: Path) -> bool:
    """Whether another process holds the folder."""
    if not (folder / 'lock').is_file():
        return False
    try:
        with locked(folder):
            return False
    except InProgressError:
        return True
