"""Numbers that the authors' published code gives for known weights and inputs, and how they are compared.

Weights and inputs are drawn from NumPy by the names of the authors' parameters, so that the files in ``oracles/`` hold
results alone: elements and a random projection of every output, and a random projection of every gradient.

The code ran in double precision, at github.com/OSVAI/ODConv 0901cc1 (``modules/odconv.py``), liyunsheng13/dcd 6a5e27f
(``models/imagenet/mobilenetv2_dcd.py``, ``resnet_dcd.py``) and OSVAI/KernelWarehouse a4ac17d
(``modules/kernel_warehouse.py``); numbers of parameters are those of its ``models/kw_mobilenetv2.py`` and
``kw1d2x_mobilenetv2.py``.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / 'oracles'


def cases(name: str) -> list[dict]:
    """The geometries of ``oracles/<name>.json``, with their numbers."""
    return json.loads((FOLDER / f'{name}.json').read_text())


def drawn(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """A tensor for a parameter, buffer or input of a name, in float64; variances positive, scales around one."""
    rng = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    values = rng.standard_normal(shape)
    if 'running_var' in name:
        return torch.from_numpy(0.5 + np.abs(values))
    is_scale = any(part.startswith(('bn', 'norm')) for part in name.split('.')) and name.endswith('weight')
    return torch.from_numpy(1 + 0.3 * values if is_scale else 0.5 * values if name != 'x' else values)


def projection(name: str, tensor: Tensor, seed: int) -> float:
    """The product of a tensor with a random one of its shape: any element that differs shows in it."""
    return float((tensor.detach() * drawn(f'projection of {name}', tuple(tensor.shape), seed)).sum())


def digest(y: Tensor, tensors: Mapping[str, Tensor], seed: int) -> dict:
    """An output in numbers: its shape, eight elements, its projection, and those of gradients or buffers by name."""
    flat = y.detach().flatten()
    elements = flat[torch.linspace(0, len(flat) - 1, 8).long()].tolist()
    return {
        'shape': list(y.shape),
        'elements': elements,
        'projection': projection('y', y, seed),
        'of': {name: projection(name, tensor, seed) for name, tensor in tensors.items()},
    }


def loss(y: Tensor, seed: int) -> Tensor:
    """What the gradients are those of."""
    return (y * drawn('loss', tuple(y.shape), seed)).sum()


def assert_equal(found: dict, expected: dict) -> None:
    """Compares two digests to eleven digits."""
    assert found['shape'] == expected['shape']
    assert found['of'].keys() == expected['of'].keys()
    for part in ('elements', 'projection', 'of'):
        np.testing.assert_allclose(_values(found[part]), _values(expected[part]), rtol=1e-9, atol=1e-10)


def _values(part: object) -> object:
    return list(part.values()) if isinstance(part, dict) else part
