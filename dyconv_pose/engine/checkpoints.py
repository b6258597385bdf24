"""Checkpoints that are written whole or not at all: aside first, then renamed.

A file under a checkpoint's name is always complete, whenever the process is killed or the disk runs full, and the
checkpoint before it is only removed when the new one stands.
"""

import os
from collections.abc import Callable
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

#: What the name of a file ends with while it is being written.
PARTIAL_SUFFIX = '.partial'


def write_aside(content: bytes, path: str | Path) -> None:
    """Writes a file in such a way that its name never stands for part of it.

    Args:
        content: What is to be in the file.
        path: The file. Until all of it is on the disk, what was there before stays.

    Raises:
        OSError: It cannot be written, as when the disk is full; what was written is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial_path.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial_path.replace(path)
    except OSError:
        partial_path.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Has the renaming survive a loss of power, where folders can be opened (not so on Windows)."""
    if hasattr(os, 'O_DIRECTORY'):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class WriteAsideBackend(LocalBackend):
    """MMEngine's access to local files, with :func:`write_aside`."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes to a file."""
        write_aside(obj, filepath)


register_backend('write_aside', WriteAsideBackend, force=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which never leaves a run without a whole checkpoint.

    MMEngine removes the oldest checkpoint before it writes the next one, which may fail. Here it stays until then.

    Args:
        As of :class:`mmengine.hooks.CheckpointHook`.
    """

    def __init__(self, *args, **kwargs) -> None:
        if '://' not in str(kwargs.get('out_dir')) and kwargs.get('file_client_args') is None:
            kwargs.setdefault('backend_args', {'backend': 'write_aside'})
        super().__init__(*args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Takes up where a resumed run was, and removes what a killed one left half-written."""
        super().before_train(runner)
        if runner._resume and 'last_ckpt' in runner.message_hub.runtime_info:
            self.last_ckpt = runner.message_hub.get_info('last_ckpt')
        if is_main_process() and Path(self.out_dir).is_dir():
            for path in Path(self.out_dir).glob(f'*.pth{PARTIAL_SUFFIX}'):
                path.unlink(missing_ok=True)
                runner.logger.info(f'Removed {path}, a checkpoint that was not written to its end.')
        self.file_backend = LateRemoval(self.file_backend)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._remove_replaced()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self._remove_replaced()

    def _remove_replaced(self) -> None:
        best = getattr(self, 'best_ckpt_path_dict', None) or {'': getattr(self, 'best_ckpt_path', None)}
        self.file_backend.remove_all(kept={self.last_ckpt, *best.values()})


class LateRemoval:
    """A file backend that removes files only when it is told that what replaces them is there.

    Args:
        backend: The backend that does everything else.
    """

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self._pending: dict[str, Callable[[str], None]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Remembers a file."""
        self._pending[path] = self.backend.remove

    def rmtree(self, path: str) -> None:
        """Remembers a folder."""
        self._pending[path] = self.backend.rmtree

    def remove_all(self, kept: set[str | None]) -> None:
        """Removes what was remembered, but for what has been written anew."""
        for path, remove in self._pending.items():
            if path not in kept:
                remove(path)
        self._pending.clear()
