"""Errors that a run meets after it began, said in one sentence.

Those of loading data arrive wrapped in the frames of a worker process. Those of building from the config come late
because MMEngine builds data loaders, optimisers and evaluators only when they are needed.
"""

import re
import traceback
from types import TracebackType

from mmengine.runner import Runner

from .config import BUILD_ERRORS, describe

#: What PyTorch puts before the traceback of another process or thread.
_WRAPPED = re.compile(r'^Caught \w+ in .*\nOriginal ')

#: What MMPose's LoadImage says of an image, whatever was wrong with it.
_IMAGE = re.compile(r'`(?P<reason>.*)` occurs when loading `(?P<path>.*?)`', re.DOTALL)

_DEAD_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\)? (?P<how>.*?)(\.|$)')


class RunErrors:
    """A ``with`` block that turns errors of loading data and of the config into a ``ValueError`` of one sentence.

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
        sentence = describe_data_error(error, self.config_name) if isinstance(error, Exception) else None
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
            f'The image "{image["path"]}" cannot be read ({_reason(image["reason"])}): replace it or take it out of '
            f'the annotations; "python tools/check_dataset.py {config_name} --images" finds every such image.'
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
            f'("python tools/check_dataset.py {config_name} --images") and the pipeline of the config.'
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
