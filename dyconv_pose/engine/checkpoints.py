"""Checkpoints that are whole whenever the process is killed or the disk runs full."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dyconv_pose.files import PARTIAL_SUFFIX, write_atomically


class SafeBackend(LocalBackend):
    """MMEngine's access to local files, which writes whole files and removes others only after that.

    MMEngine removes the oldest checkpoint before it writes the next one, which may fail.
    """

    #: Files that the next one replaces, of all instances: MMEngine makes several.
    replaced: set[str] = set()

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes to a file, then removes what it replaces."""
        write_atomically(filepath, obj)
        for path in self.replaced - {str(filepath)}:
            Path(path).unlink(missing_ok=True)
        self.replaced.clear()

    def remove(self, filepath: str | Path) -> None:
        """Remembers a file that is to be removed."""
        self.replaced.add(str(filepath))


register_backend('safe', SafeBackend, force=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which never leaves a run without a whole checkpoint; takes the same arguments."""

    def __init__(self, *args, **kwargs) -> None:
        if '://' not in str(kwargs.get('out_dir')) and kwargs.get('file_client_args') is None:
            kwargs.setdefault('backend_args', {'backend': 'safe'})
        super().__init__(*args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Goes on where a resumed run was, and removes what a killed one left half-written."""
        super().before_train(runner)
        SafeBackend.replaced.clear()  # of a run of this process that failed
        if runner._resume and 'last_ckpt' in runner.message_hub.runtime_info:
            self.last_ckpt = runner.message_hub.get_info('last_ckpt')
        if is_main_process() and Path(self.out_dir).is_dir():
            for path in Path(self.out_dir).glob(f'*.pth{PARTIAL_SUFFIX}'):
                path.unlink(missing_ok=True)
                runner.logger.info(f'Removed {path}, a checkpoint that was not written to its end.')
