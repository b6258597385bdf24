"""Errors that a run meets after it began, said in one sentence: of its data, its config, its disk, its processes.

Those of loading data arrive wrapped in the frames of a worker process. Those of building from the config come late
because MMEngine builds data loaders, optimisers and evaluators only when they are needed.
"""

import errno
import re
import traceback
from types import TracebackType

import torch
from mmengine.runner import Runner

from .config import BUILD_ERRORS, describe

#: What PyTorch puts before the traceback of another process or thread.
_WRAPPED = re.compile(r'^Caught \w+ in .*\nOriginal ')

#: What MMPose's LoadImage says of an image, whatever was wrong with it.
_IMAGE = re.compile(r'`(?P<reason>.*)` occurs when loading `(?P<path>.*?)`', re.DOTALL)

_DEAD_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\)? (?P<how>.*?)(\.|$)')

#: The disk or a quota is full, or a file may not become so large.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

#: What gloo and PyTorch's store say when another process of the job is gone.
_DEAD_PEER = re.compile(
    'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket closed|Timed out waiting|wait timeout|'
    'remote process|NCCL.*(closed|abort|timeout)',
    re.IGNORECASE,
)


class RunErrors:
    """A ``with`` block that turns the errors that this module knows into a ``ValueError`` of one sentence.

    All others pass.

    Args:
        config_name: The config file, for the remedy.
    """

    def __init__(self, config_name: str | None = None) -> None:
        self.config_name = config_name or 'CONFIG'

    def __enter__(self) -> None:
        """Begins the block."""

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Raises the sentence, if the error is one of those."""
        sentence = None
        if isinstance(error, Exception):
            sentence = describe_data_error(error, self.config_name) or describe_machine_error(error)
        if sentence is None and isinstance(error, BUILD_ERRORS) and (part := _part_being_built(trace)):
            sentence = f'The {part} of the config cannot be built: {describe(error)}'
        if sentence is not None:
            raise ValueError(sentence) from error


def _part_being_built(trace: TracebackType | None) -> str:
    """What MMEngine's runner was building from the config when the error came; empty where it was not building."""
    for frame, _ in traceback.walk_tb(trace):
        function = frame.f_code.co_name
        if frame.f_globals.get('__name__') == Runner.__module__ and function.startswith('build_'):
            return function.removeprefix('build_')
    return ''


def describe_data_error(error: Exception, config_name: str = 'CONFIG') -> str | None:
    """The sentence for an error that came while data was loaded, or ``None`` for any other error."""
    text = str(error)
    is_wrapped = bool(_WRAPPED.match(text))
    message = unwrap_message(text) if is_wrapped else text
    image = _IMAGE.search(message)
    if image:
        return (
XX
        )
    dead = _DEAD_WORKER.search(text)
    if dead:
        return (
            f'A data-loading process died ({" ".join(dead["how"].split())}), most often for want of memory: lower '
            'num_workers of the data loaders, or batch_size.'
        )
    if is_wrapped:
        return (
            f'Loading data failed with {" ".join(message.split())}: check the data '
            f'("python tools/dataset_converters/check_dataset.py {config_name} --images") and the pipeline of the config.'
        )
    return None


def describe_machine_error(error: Exception) -> str | None:
    """The sentence for a full disk and for a job of several processes that has lost one; ``None`` for others."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return (
            f'The disk is full ({error.strerror}{f", {error.filename}" if error.filename else ""}) and the run was '
            'stopped; the checkpoints that stand are whole: make room and go on with --resume.'
        )
    is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if is_distributed and isinstance(error, RuntimeError) and _DEAD_PEER.search(str(error)):
        return (
            f'Another process of this job ended, and process {torch.distributed.get_rank()} stops too: what '
            'that one said is above, or it was killed (for want of memory?); go on with --resume.'
        )
    return None


def unwrap_message(text: str) -> str:
    """The type and message of the last error in a traceback's text, without its frames.

    A frame's lines are indented, and the error's own first line is not; its further lines may be either.
    """
    last = text.rpartition('Traceback (most recent call last):\n')[2].splitlines()
    start = next((place for place, line in enumerate(last) if line and not line.startswith(' ')), 0)
    return '\n'.join(last[start:]).strip()


def _reason(text: str) -> str:
    if 'No such file' in text:
        return 'the file does not exist'
    if '!buf.empty()' in text:
        return 'the file is empty'
    if 'failed to load image' in text:
        return 'it is no image, or a damaged one'
    return ' '.join(text.split())
