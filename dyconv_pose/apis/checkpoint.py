"""Checkpoints, read without running code that they may contain."""

import struct
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from .inert import resolve, stand_ins

#: How the files of ``torch.save`` begin: a zip archive, or (until PyTorch 1.5) a pickle.
_BEGINNINGS = (b'PK\x03\x04', b'\x80')

#: What reading a damaged file raises, somewhere within.
_DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


def read_checkpoint(path: str | Path, trust: bool = False) -> dict:
    """Reads a checkpoint onto the CPU.

    Args:
        path: A file of ``torch.save``.
        trust: Whether to unpickle the file in full, which runs whatever code it contains. Otherwise only tensors,
            arrays and plain values are read.

    Returns:
        A dictionary with at least ``state_dict``, weights by name; of an MMEngine checkpoint also ``meta``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is no checkpoint, or needs more than weights-only unpickling.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The checkpoint must be an existing file, got "{path}".')
    damaged = f'The checkpoint "{path}" is not a whole file of torch.save: download or copy it again.'
    try:
        with path.open('rb') as file:
            if not file.read(4).startswith(_BEGINNINGS):
                raise ValueError(damaged)
        content = torch.load(path, map_location='cpu', weights_only=False) if trust else _load_inert(path)
    except UnpicklingError as error:
        if trust:
            raise ValueError(damaged) from error
        raise ValueError(
            f'The checkpoint "{path}" holds more than weights and is not read, since it could run code of its own; '
            'if you trust where it comes from, say so with --trust-checkpoint (trust=True).'
        ) from error
    except _DAMAGE as error:
        raise ValueError(damaged) from error
    if not isinstance(content, dict):
        raise ValueError(f'A checkpoint must hold a dictionary of weights, "{path}" holds a {type(content).__name__}.')
    checkpoint = content if 'state_dict' in content else {'state_dict': content}
    if not _is_state_dict(checkpoint['state_dict']):
        raise ValueError(
            f'A checkpoint must hold weights by name, and "{path}" holds something else under '
            f'{", ".join(repr(key) for key in list(content)[:5]) or "no name at all"}: was it written by a training?'
        )
    return checkpoint


def _load_inert(path: Path) -> object:
    with torch.serialization.safe_globals(stand_ins()):
        return resolve(torch.load(path, map_location='cpu', weights_only=True))


def _is_state_dict(weights: object) -> bool:
    return (
        isinstance(weights, dict)
        and bool(weights)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items())
    )


def load_weights(model: nn.Module, path: str | Path, trust: bool = False) -> dict:
    """Loads the weights of a checkpoint, all of them and nothing else.

    Args:
        model: The network, changed in place, and not at all where the checkpoint does not fit.
        path: As in :func:`read_checkpoint`.
        trust: As in :func:`read_checkpoint`.

    Returns:
        The checkpoint.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is no checkpoint, is not trusted, or does not fit the network.
    """
    checkpoint = read_checkpoint(path, trust)
    weights = checkpoint['state_dict']
    if all(name.startswith('module.') for name in weights):  # saved from within a distributed wrapper
        weights = {name.removeprefix('module.'): value for name, value in weights.items()}
    own = model.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith('num_batches_tracked')]
    unknown = [name for name in weights if name not in own]
    if missing or unknown:
        raise ValueError(
            f'The checkpoint "{path}" does not fit the config\'s network: {len(missing)} of its weights are missing'
            f'{_first(missing)} and {len(unknown)} are unknown{_first(unknown)}: was it trained with this config?'
        )
    for name, value in weights.items():
        if value.shape != own[name].shape:
            if value.dim() == 5 and value.shape[1:] == own[name].shape[1:]:  # the bank of a dynamic layer
                raise ValueError(
                    f'The checkpoint "{path}" does not fit the config\'s network: {name} has K={len(value)} kernels '
                    f'and needs K={len(own[name])}: set num_kernels={len(value)} in conv_cfg.'
                )
            raise ValueError(
                f'The checkpoint "{path}" does not fit the config\'s network: {name} has the shape '
                f'{tuple(value.shape)} and needs {tuple(own[name].shape)}: was it trained with this config?'
            )
    model.load_state_dict(weights, strict=False)
    return checkpoint


def _first(names: list[str]) -> str:
    return f' (such as {names[0]})' if names else ''
