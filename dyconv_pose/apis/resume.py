"""The checkpoint that a stopped run goes on from: the last one that is whole."""

import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from mmengine.config import Config

from .checkpoint import read_checkpoint

#: Names that MMEngine's CheckpointHook gives, and the number in them.
_NAME = re.compile(r'(epoch|iter)_(\d+)\.pth')

_NOTHING = (
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


def resume_point(config: Config, resume: bool | str, trust: bool) -> ResumePoint | None:
    """The checkpoint that is named, by the caller or the config, or the last whole one of the work directory."""
    named = resume if isinstance(resume, str) else None if resume else config.get('load_from')
    try:
        return read_resume_point(named, trust) if named else find_resume_point(config.work_dir, trust)
    except FileNotFoundError:
        if resume or named:
            raise
        return None  # a config with "resume = True" begins where there is nothing yet, as with MMEngine


def find_resume_point(work_dir: str | Path, trust: bool = False) -> ResumePoint:
    """Finds the whole checkpoint with the most iterations in a work directory.

    ``last_checkpoint``, where MMEngine writes a path, is followed only if nothing is found: a run that was killed may
    have written a newer checkpoint than it names, and the one that it names may be damaged.

    Raises:
        FileNotFoundError: There is no checkpoint at all.
        ValueError: There are some, and none is whole.
    """
    best, wrong = None, []
    for files in _candidates(Path(work_dir)):
        for path in files:
            try:
                point = read_resume_point(path, trust)
            except ValueError as error:
                wrong.append(str(error))
                continue
            best = point if best is None or point.iteration > best.iteration else best
            break
    if best:
        return replace(best, passed_over=tuple(wrong))
    if wrong:
        raise ValueError(
            f'There must be a whole checkpoint in "{work_dir}" to resume from, and none of {len(wrong)} is: {wrong[0]}'
        )
    raise FileNotFoundError(_NOTHING.format(work_dir))


def _candidates(work_dir: Path) -> list[list[Path]]:
    """Files that may be whole, of epochs and of iterations, the newest first; or what ``last_checkpoint`` names."""
    named = [(path, _NAME.fullmatch(path.name)) for path in work_dir.glob('*.pth')]
    found = sorted([(int(name[2]), name[1], path) for path, name in named if name], reverse=True)
    if found:
        return [[path for _, unit, path in found if unit == one] for one in ('epoch', 'iter')]
    pointer = work_dir / 'last_checkpoint'
    last = Path(pointer.read_text(errors='replace').strip()) if pointer.is_file() else work_dir
    return [[last]] if last.is_file() else []


def read_resume_point(path: str | Path, trust: bool = False) -> ResumePoint:
    """Reads a checkpoint, after checking every byte of it that has a checksum, which PyTorch does not.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, may not be read, or is no checkpoint that a training can go on from.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(_NOTHING.format(path))
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
