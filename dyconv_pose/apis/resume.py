"""The checkpoint that a stopped run goes on from: the last one that is whole."""

import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from .checkpoint import read_checkpoint

_NO_CHECKPOINT = (
    'There must be a checkpoint to resume from, found none at "{}": train without --resume first, or name the '
    'checkpoint.'
)


@dataclass(frozen=True)
class ResumePoint:
    """A whole checkpoint, the epochs and iterations that are done in it, and what is wrong with newer files."""

    path: Path
    content: dict
    epoch: int
    iteration: int
    passed_over: tuple[str, ...] = ()


def find_resume_point(work_dir: str | Path, trust: bool = False) -> ResumePoint:
    """Finds the whole checkpoint with the most iterations in a work directory.

    ``last_checkpoint``, where MMEngine writes a path, is followed only if nothing is found: a run that was killed may
    have written a newer checkpoint than it names, and the one that it names may be damaged.

    Raises:
        FileNotFoundError: There is no checkpoint at all.
        ValueError: There are some, and none is whole.
    """
    work_dir, found, wrong = Path(work_dir), [], []
    named = [(re.fullmatch(r'(epoch|iter)_(\d+)', path.stem), path) for path in work_dir.glob('*.pth')]
    newest_first = sorted(((int(name[2]), name[1], path) for name, path in named if name), reverse=True)
    pointer = work_dir / 'last_checkpoint'
    if not newest_first and pointer.is_file():
        path = Path(pointer.read_text(errors='replace').strip())
        newest_first = [(0, 'epoch', path)] if path.is_file() else []
    for unit in ('epoch', 'iter'):
        for path in [path for _, one, path in newest_first if one == unit]:
            try:
                found.append(read_resume_point(path, trust))
                break
            except ValueError as error:
                wrong.append(str(error))
    if found:
        return replace(max(found, key=lambda point: point.iteration), passed_over=tuple(wrong))
    if wrong:
        raise ValueError(
            f'There must be a whole checkpoint in "{work_dir}" to resume from, and none of {len(wrong)} is: {wrong[0]}'
        )
    raise FileNotFoundError(_NO_CHECKPOINT.format(work_dir))


def read_resume_point(path: str | Path, trust: bool = False) -> ResumePoint:
    """Reads a checkpoint, after checking every byte of it that has a checksum, which PyTorch does not.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, may not be read, or is no checkpoint that a training can go on from.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(_NO_CHECKPOINT.format(path))
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
            raise ValueError(f'The checkpoint "{path}" is damaged: {error}.') from error
        if damaged is not None:
            raise ValueError(f'The checkpoint "{path}" is damaged: the checksum of "{damaged}" is wrong.')
    content = read_checkpoint(path, trust)
    meta = content.get('meta')
    is_training = isinstance(meta, dict) and all(isinstance(meta.get(key), int) for key in ('epoch', 'iter'))
    if not is_training or 'optimizer' not in content or 'message_hub' not in content:
        raise ValueError(
            f'A run resumes from a checkpoint with the state of its optimiser, and "{path}" has weights alone: name '
            'one that the training wrote (epoch_*.pth or iter_*.pth), or start from the weights with load_from.'
        )
    return ResumePoint(path, content, meta['epoch'], meta['iter'])
