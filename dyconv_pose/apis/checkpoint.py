"""Checkpoints: read by weights-only unpickling, which runs no code in them, fitted into networks, and resumed from."""

import os
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from unittest.mock import patch

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

#: How the files of ``torch.save`` begin: a zip archive, or (until PyTorch 1.5) a pickle.
_BEGINNINGS = (b'PK\x03\x04', b'\x80')

#: What reading a damaged file raises, somewhere within.
_DAMAGE = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError)
_DAMAGE += (TypeError, ValueError, struct.error)

_REMEDY = (
    'holds more than weights and is not read, since it could run code of its own; if you trust where it comes from, '
    'say so with --trust-checkpoint (trust=True).'
)


def _statistic(owner: type, name: str) -> object:
    """Stands for ``getattr``, by which a HistoryBuffer names its methods."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(f'a statistic of a log is expected, got {name!r:.40}')
    return getattr(HistoryBuffer, name)


class _PlainDtype:
    """Stands for ``numpy.dtype``, which believes whatever a file says of it: forged flags corrupt the memory."""

    def __init__(self, code: str, *_: object) -> None:
        self.real = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        self.real = self.real.newbyteorder(state[1])
        if self.real.kind not in 'biufcSU' or state != self.real.__reduce__()[2]:
            raise UnpicklingError(f'a dtype of numbers or texts is expected, got one that claims {state!r:.80}')


class _PlainArray(np.ndarray):
    """An array as a file gives it, which is pickled as any other."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, is_fortran, data = state
        if not isinstance(data, bytes) or min(shape, default=0) < 0:
            raise UnpicklingError(f'the numbers of an array are expected, got {data!r:.40}')
        super().__setstate__((version, shape, dtype.real, is_fortran, data))

    def __reduce_ex__(self, protocol: int) -> tuple:
        return self.view(np.ndarray).__reduce_ex__(protocol)


def _begin_array(*_: object) -> np.ndarray:
    return np.ndarray.__new__(_PlainArray, (0,), 'b')


def _scalar(dtype: _PlainDtype, data: bytes) -> np.generic:
    return np.frombuffer(data, dtype.real, count=1)[0]


#: What checkpoints of MMEngine hold beside tensors: the log, dictionaries, arrays and numbers of NumPy 1 and 2.
_SAFE_GLOBALS = [HistoryBuffer, ConfigDict, (_statistic, 'builtins.getattr'), (bytes, 'builtins.bytes')]
_SAFE_GLOBALS += [(_PlainArray, 'numpy.ndarray'), (_PlainDtype, 'numpy.dtype')]
for _module in ('numpy._core.multiarray', 'numpy.core.multiarray'):
    _SAFE_GLOBALS += [(_begin_array, f'{_module}._reconstruct'), (_scalar, f'{_module}.scalar')]


def read_checkpoint(path: str | Path, trust: bool = False) -> dict:
    """Reads a file of ``torch.save`` onto the CPU; ``trust`` unpickles it in full, which runs what code it contains.

    It returns a dictionary with at least ``state_dict``, weights by name; of an MMEngine checkpoint also ``meta``. A
    FileNotFoundError is raised where there is no file, a ValueError where it is no checkpoint, or needs to be trusted.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'The checkpoint must be an existing file, got "{path}".')
    damaged = f'The checkpoint "{path}" is not a whole file of torch.save: download or copy it again.'
    with path.open('rb') as file:
        if not file.read(4).startswith(_BEGINNINGS):
            raise ValueError(damaged)
    try:
        with torch.serialization.safe_globals(_SAFE_GLOBALS), patch.dict(os.environ):
            for name in ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
                os.environ.pop(name, None)  # the argument decides
            content = torch.load(path, map_location='cpu', weights_only=not trust)
    except UnpicklingError as error:
        raise ValueError(damaged if trust else f'The checkpoint "{path}" {_REMEDY}') from error
    except _DAMAGE as error:
        raise ValueError(damaged) from error
    weights = content.get('state_dict', content) if isinstance(content, dict) else None
    items = weights.items() if isinstance(weights, dict) else ()
    if not items or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in items):
        found = list(content)[:5] if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f'A checkpoint must hold weights by name, and "{path}" holds {found}: was it written by a training?'
        )
    return content if weights is not content else {'state_dict': weights}


@contextmanager
def weights_only(trust: bool = False, known: dict[str, dict] | None = None) -> Iterator[None]:
    """A ``with`` block in which MMEngine reads checkpoints by :func:`read_checkpoint`, and nobody unpickles in full.

    MMEngine reads them for ``--resume``, ``load_from`` and every ``init_cfg``, downloads too, and unpickles in full by
    itself where weights-only reading fails; ``trust`` lets it. ``known`` has checkpoints that were read, by path. A
    ValueError is raised for more than weights, and where nothing fits, after which MMEngine trains on with a warning.
    """

    def load_from_local(filename: str, map_location: object = None) -> dict:  # MMEngine's log says "local" after it
        return (known or {}).pop(str(filename), None) or read_checkpoint(filename, trust)

    def load_weights_only(*args: object, **kwargs: object) -> object:
        return load(*args, **kwargs | ({} if trust else {'weights_only': True}))

    def load_some(module: nn.Module, weights: dict, *args: object, **kwargs: object) -> None:
        own = {name: value.shape for name, value in module.state_dict().items()}
        static = {name: shape[1:] for name, shape in own.items() if len(shape) == 5}
        if not any(value.shape in (own.get(name), static.get(name)) for name, value in weights.items()):
            theirs, ours = (next(iter(part), 'nothing') for part in (weights, own))
            raise ValueError(
                f'None of the {len(weights)} weights of a checkpoint of the config (load_from, init_cfg) fits the '
                f'{type(module).__name__}: they are named such as {theirs} there and {ours} here; load_from takes a '
                "whole model, and backbone.init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...) a backbone."
            )
        load_state(module, weights, *args, **kwargs)

    load, load_state = torch.load, mmengine_checkpoint.load_state_dict
    checked = patch.object(mmengine_checkpoint, 'load_state_dict', load_some)
    with patch.dict(CheckpointLoader._schemes, {'': load_from_local}), patch('torch.load', load_weights_only), checked:
        try:
            with torch.serialization.safe_globals(_SAFE_GLOBALS):
                yield
        except UnpicklingError as error:
            raise ValueError(f'A checkpoint of the config (load_from, init_cfg) {_REMEDY}') from error
        except AssertionError as error:
            if 'is not in the pretrained model' not in str(error):  # MMEngine's words
                raise
            raise ValueError(f'A prefix of an init_cfg must begin names in its checkpoint: {error}.') from error


def load_weights(model: nn.Module, path: str | Path, trust: bool = False) -> dict:
    """Reads a checkpoint and loads its weights; see :func:`read_checkpoint` and :func:`fit_weights`."""
    checkpoint = read_checkpoint(path, trust)
    fit_weights(model, checkpoint, path)
    return checkpoint


def fit_weights(model: nn.Module, checkpoint: dict, path: str | Path) -> None:
    """Loads the weights of a checkpoint, all of them and nothing else; ``path`` is for messages.

    A ValueError is raised where it does not fit the network, which is then not changed.
    """
    weights, own = checkpoint['state_dict'], model.state_dict()
    if all(name.startswith('module.') for name in weights):  # saved from within a distributed wrapper
        weights = {name.removeprefix('module.'): value for name, value in weights.items()}
    missing = [name for name in own if name not in weights and not name.endswith('num_batches_tracked')]
    unknown = [name for name in weights if name not in own]
    shapes = {name: (tuple(own[name].shape), tuple(value.shape)) for name, value in weights.items() if name in own}
    name, (needs, has) = next(((k, both) for k, both in shapes.items() if both[0] != both[1]), ('', ((), ())))
    problem, remedy = f'{name} has the shape {has} and needs {needs}', 'was it trained with this config?'
    if missing or unknown:
        first, other = (f' (such as {names[0]})' if names else '' for names in (missing, unknown))
        problem = f'{len(missing)} of its weights are missing{first} and {len(unknown)} are unknown{other}'
    elif len(has) == 5 and has[1:] == needs[1:]:  # the bank of a dynamic layer
        problem = f'{name} has K={has[0]} kernels and needs K={needs[0]}'
        remedy = f'set num_kernels={has[0]} in conv_cfg.'
    if missing or unknown or name:
        raise ValueError(f'The checkpoint "{path}" does not fit the config\'s network: {problem}: {remedy}')
    model.load_state_dict(weights, strict=False)


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
    have written a newer checkpoint than it names, and the one that it names may be damaged. A FileNotFoundError is
    raised where there is no checkpoint at all, a ValueError where none is whole.
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
        raise ValueError(f'There must be a whole checkpoint in "{work_dir}", and none of {len(wrong)} is: {wrong[0]}')
    raise FileNotFoundError(
        f'There must be a checkpoint to resume from, found none at "{work_dir}": train without --resume, or name one.'
    )


def read_resume_point(path: str | Path, trust: bool = False) -> ResumePoint:
    """Reads a checkpoint, after checking every byte of it that has a checksum, which PyTorch does not.

    Errors are those of :func:`read_checkpoint`, and a ValueError where a training cannot go on from it.
    """
    path = Path(path)
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                if name := archive.testzip():
                    raise zipfile.BadZipFile(f'the checksum of "{name}" is wrong')
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
            raise ValueError(f'The checkpoint "{path}" is damaged: {error}.') from error
    content = read_checkpoint(path, trust)
    meta = content.get('meta')
    is_training = isinstance(meta, dict) and all(isinstance(meta.get(key), int) for key in ('epoch', 'iter'))
    if not is_training or 'optimizer' not in content or 'message_hub' not in content:
        raise ValueError(
            f'A run resumes from a checkpoint with the state of its optimiser, and "{path}" has weights alone: name '
            'one that the training wrote (epoch_*.pth or iter_*.pth), or start from the weights with load_from.'
        )
    return ResumePoint(path, content, meta['epoch'], meta['iter'])
