"""Checkpoints, read without running code that they may contain."""

from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import nn


def _inert(*args: object, **kwargs: object) -> None:
    """Stands in for what a training log inside a checkpoint refers to; the log is not needed here."""


class _InertBuffer:
    """Stands in for MMEngine's HistoryBuffer."""


def _safe_globals() -> list:
    """What an MMEngine checkpoint names besides tensors: NumPy arrays, and its log, which is read as nothing."""
    dtypes = {type(np.dtype(kind)) for kind in np.typecodes['All']}
    return [
        np.ndarray,
        np.dtype,
        *dtypes,
        (np._core.multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
        (np._core.multiarray.scalar, 'numpy._core.multiarray.scalar'),
        (np._core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (np._core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (_InertBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_inert, 'builtins.getattr'),
    ]


def read_checkpoint(path: str | Path, trust: bool = False) -> dict:
    """Reads a checkpoint onto the CPU.

    Args:
        path: A file of ``torch.save``.
        trust: Whether to unpickle the file in full, which runs whatever code it contains. Otherwise only tensors,
            arrays and plain values are read.

    Returns:
        A dictionary with at least ``state_dict``; of an MMEngine checkpoint also ``meta``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is no checkpoint, or needs more than weights-only unpickling.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The checkpoint must be an existing file, got "{path}".')
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            content = torch.load(path, map_location='cpu', weights_only=not trust)
    except UnpicklingError as error:
        raise ValueError(
            f'The checkpoint "{path}" holds more than weights and is not read, since it could run code of its own; '
            'if you trust where it comes from, say so with --trust-checkpoint (trust=True).'
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(f'The checkpoint "{path}" is not a whole file of torch.save: download or copy it again.') from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f'A checkpoint must hold a dictionary of weights, "{path}" holds a {type(content).__name__}.')
    return content if 'state_dict' in content else {'state_dict': content}


def load_weights(model: nn.Module, path: str | Path, trust: bool = False) -> dict:
    """Loads the weights of a checkpoint, all of them and nothing else.

    Args:
        model: The network, changed in place.
        path: As in :func:`read_checkpoint`.
        trust: As in :func:`read_checkpoint`.

    Returns:
        The checkpoint.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is no checkpoint, is not trusted, or does not fit the network.
    """
    checkpoint = read_checkpoint(path, trust)
    weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # shapes
        first = str(error).strip().splitlines()
        detail = first[1].strip() if len(first) > 1 else first[0]
        raise ValueError(f'The checkpoint "{path}" does not fit the config\'s network: {detail}') from error
    missing = [name for name in missing if not name.endswith('num_batches_tracked')]
    if missing or unexpected:
        raise ValueError(
            f'The checkpoint "{path}" does not fit the config\'s network: {len(missing)} of its weights are missing'
            f'{_first(missing)} and {len(unexpected)} are unknown{_first(unexpected)}: was it trained with this config?'
        )
    return checkpoint


def _first(names: list[str]) -> str:
    return f' (such as {names[0]})' if names else ''
