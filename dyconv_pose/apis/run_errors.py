"""Errors that a run meets after it began, said in one sentence: of its data, its config, its disk, its processes."""

import errno
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.runner import Runner

from .config import BUILD_ERRORS, describe

#: What PyTorch puts before the traceback of another process or thread.
_WRAPPED = re.compile(r'^Caught \w+ in .*\nOriginal ')

#: What MMPose's LoadImage says of an image; what OpenCV and MMCV say in it, and what that means.
_IMAGE = re.compile(r'`(?P<reason>.*)` occurs when loading `(?P<path>.*?)`', re.DOTALL)
_REASONS = {
    'No such file': 'the file does not exist',
    '!buf.empty()': 'the file is empty',
    'failed to load image': 'it is no image, or a damaged one',
}

_DEAD_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\)? (?P<how>.*?)(\.|$)')

#: What gloo and PyTorch's store say when another process of the job is gone.
_DEAD_PEER = re.compile(
    'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket closed|Timed out waiting|wait timeout|'
    'remote process|NCCL.*(closed|abort|timeout)',
    re.IGNORECASE,
)


@contextmanager
def one_sentence(config_name: str | None) -> Iterator[None]:
    """A ``with`` block that turns the errors that this module knows into a ``ValueError`` of one sentence."""
    try:
        yield
    except Exception as error:
        sentence = describe_data_error(error, config_name or 'CONFIG') or _machine_error(error) or _build_error(error)
        if sentence is None:
            raise
        raise ValueError(sentence) from error


def _build_error(error: Exception) -> str | None:
    """The sentence for an error of the config; MMEngine builds loaders, optimisers, evaluators when they are needed."""
    for frame, _ in traceback.walk_tb(error.__traceback__) if isinstance(error, BUILD_ERRORS) else ():
        function = frame.f_code.co_name
        if frame.f_globals.get('__name__') == Runner.__module__ and function.startswith('build_'):
            return f'The {function.removeprefix("build_")} of the config cannot be built: {describe(error)}'
    return None


def describe_data_error(error: Exception, config_name: str = 'CONFIG') -> str | None:
    """The sentence for an error that came while data was loaded, or ``None`` for any other error."""
    text, check = str(error), f'"python tools/dataset_converters/check_dataset.py {config_name} --images"'
    is_wrapped = bool(_WRAPPED.match(text))  # in the frames of a worker process
    message = unwrap_message(text) if is_wrapped else text
    if image := _IMAGE.search(message):
        known = [meaning for said, meaning in _REASONS.items() if said in image['reason']]
        return (
            f'The image "{image["path"]}" cannot be read ({(known or [" ".join(image["reason"].split())])[0]}): '
            f'replace it or take it out of the annotations; {check} finds every such image.'
        )
    if dead := _DEAD_WORKER.search(text):
        return (
            f'A data-loading process died ({" ".join(dead["how"].split())}), most often because memory ran out: lower '
            'num_workers of the data loaders, or batch_size.'
        )
    problem = ' '.join(message.split())
    sentence = f'Loading data failed with {problem}: check the data ({check}) and the pipeline of the config.'
    return sentence if is_wrapped else None


def _machine_error(error: Exception) -> str | None:
    """The sentence for a full disk, or a job that has lost a process."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f'The disk is full ({error.strerror}{f", {error.filename}" if error.filename else ""}) and the run was '
            'stopped; the checkpoints on it are whole: make room and go on with --resume.'
        )
    is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if is_distributed and 'Expected to have finished reduction' in str(error):
        return (
            'Some weights had no part in the loss, and processes that train together wait for gradients of all: freeze '
            'them, or set find_unused_parameters=True in the config.'
        )
    if is_distributed and isinstance(error, RuntimeError) and _DEAD_PEER.search(str(error)):
        return (
            f'Another process of this job ended, and process {torch.distributed.get_rank()} stops too: the reason is '
            'above, or it was killed (did memory run out?); go on with --resume.'
        )
    return None


def unwrap_message(text: str) -> str:
    """The type and message of the last error in a traceback's text, without its frames, whose lines are indented."""
    last = text.rpartition('Traceback (most recent call last):\n')[2].splitlines()
    start = next((place for place, line in enumerate(last) if line and not line.startswith(' ')), 0)
    return '\n'.join(last[start:]).strip()
