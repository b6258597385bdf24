"""The checkpoint that a stopped run goes on from: the last one that is whole."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .checkpoint import read_checkpoint

#: Names that MMEngine's CheckpointHook gives, and the number in them.
_NAME = re.compile(r'(?P<unit>epoch|iter)_(?P<number>\d+)\.pth')


@dataclass(frozen=True)
class ResumePoint:
    """A whole checkpoint of a training.

    Attributes:
        path: The file.
        epoch: Epochs that are done.
        iteration: Iterations that are done.
        passed_over: Newer files that are no whole checkpoint, each with what is wrong with it.
    """

    path: Path
    epoch: int
    iteration: int
    passed_over: tuple[str, ...] = ()


def find_resume_point(work_dir: str | Path, trust: bool = False) -> ResumePoint:
    """Finds the last whole checkpoint in a work directory.

    ``last_checkpoint``, where MMEngine writes a path, is not asked unless nothing is found: a run that was killed may
    have written a newer checkpoint than it names, and the one that it names may be damaged.

    Args:
        work_dir: The work directory of the training.
        trust: As in :func:`~dyconv_pose.apis.read_checkpoint`.

    Returns:
        The checkpoint with the most iterations.

    Raises:
        FileNotFoundError: There is no checkpoint at all.
        ValueError: There are some, and none is whole.
    """
    points, wrong = [], []
    for files in _candidates(Path(work_dir)):
        for path in files:
            try:
                points.append(read_resume_point(path, trust))
                break
            except ValueError as error:
                wrong.append(str(error))
    if points:
        best = max(points, key=lambda point: point.iteration)
        return ResumePoint(best.path, best.epoch, best.iteration, tuple(wrong))
    if wrong:
        raise ValueError(
            f'There must be a whole checkpoint in "{work_dir}" to resume from, and none of {len(wrong)} is: {wrong[0]}'
        )
    raise FileNotFoundError(
        f'There must be a checkpoint to resume from, found none at "{work_dir}": '
        'train without --resume first, or name the checkpoint.'
    )


def read_resume_point(path: str | Path, trust: bool = False) -> ResumePoint:
    """Reads how far a checkpoint is, after checking every byte of it that has a checksum.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, may not be read, or is no checkpoint that a training can go on from.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'There must be a checkpoint to resume from, found none at "{path}": '
            'train without --resume first, or name the checkpoint.'
        )
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
    return ResumePoint(path, meta['epoch'], meta['iter'])


def _candidates(work_dir: Path) -> Iterator[list[Path]]:
    """Files that may be whole, for each unit of counting the newest first; then what ``last_checkpoint`` names."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in work_dir.glob('*.pth') if work_dir.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name:
            found.setdefault(name['unit'], []).append((int(name['number']), path))
    for files in found.values():
        yield [path for _, path in sorted(files, reverse=True)]
    pointer = work_dir / 'last_checkpoint'
    if not found and pointer.is_file():
        named = Path(pointer.read_text(errors='replace').strip())
        yield [named] if named.is_file() else []
