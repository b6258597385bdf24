"""Lets nothing be unpickled in full while a run reads checkpoints, whoever in MMEngine or elsewhere reads them.

MMEngine reads checkpoints in many places (``--resume``, ``load_from``, an ``init_cfg`` of any part of the network,
downloads), and where weights-only unpickling fails, its reader unpickles in full by itself. Two functions of its
module are the gates of all of them, and PyTorch has a switch for whatever else calls ``torch.load``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from unittest.mock import patch
from urllib.parse import urlparse

import mmengine.runner.checkpoint as reader
import torch

from .checkpoint import read_checkpoint

#: With this, every ``torch.load`` of this process and its children is weights-only, whatever it is told.
FORCE_VARIABLE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_FORBID_VARIABLE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@contextmanager
def inert_loading(trust: bool = False) -> Iterator[None]:
    """A ``with`` block in which MMEngine reads checkpoints by :func:`~dyconv_pose.apis.read_checkpoint`.

    Args:
        trust: Whether to leave everything as it is: checkpoints are then unpickled in full where they need it.
    """
    if trust:
        yield
        return
    with (
        patch.dict(os.environ, {FORCE_VARIABLE: '1'}),
        patch.object(reader, '_safe_torch_load', _load, create=True),  # MMEngine 0.10.7 has none
        patch.object(reader, 'load_url', _load_url),
        patch.dict(reader.CheckpointLoader._schemes, {'': load_from_local}),
    ):
        os.environ.pop(_FORBID_VARIABLE, None)  # PyTorch takes one or the other
        yield


def load_from_local(filename: str, map_location: object = None) -> dict:
    """Reads a file for MMEngine, onto the CPU; MMEngine says "local", after this function's name."""
    return read_checkpoint(Path(filename).expanduser())


def _load(file: str | IO[bytes], map_location: object = None, weights_only: bool | None = None) -> dict:
    if isinstance(file, str | Path):
        return read_checkpoint(file)
    with NamedTemporaryFile(suffix='.pth') as copy:  # what MMEngine fetched from another storage
        copy.write(file.read())
        copy.flush()
        return read_checkpoint(copy.name)


def _load_url(url: str, model_dir: str | None = None, map_location: object = None, progress: bool = True) -> dict:
    """As :func:`torch.hub.load_state_dict_from_url`: into the same folder, once."""
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(urlparse(url).path).name
    if not path.is_file():
        torch.hub.download_url_to_file(url, str(path), progress=progress)
    return read_checkpoint(path)
