"""TensorFlow.js graph models: reading one, and evaluating its nodes one by one with PyTorch.

A model is a JSON file of nodes and a table of weights, and a binary file with the values. Tensors are laid out as in
TensorFlow: features (B, H, W, C), kernels (height, width, C_in, C_out).
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dyconv_pose.layers.forms import pad_same


@dataclass(frozen=True)
class Graph:
    """A model.

    Attributes:
        path: The JSON file.
        nodes: The nodes by name, each after those whose output it takes.
        weights: Constants by name.
    """

    path: Path
    nodes: dict[str, dict]
    weights: dict[str, Tensor]

    def inputs_of(self, name: str) -> list[str]:
        """The names of the nodes and weights whose output a node takes.

        Raises:
            ValueError: There is no such node.
        """
        if name not in self.nodes:
            raise ValueError(f'{self.path} has no node {name!r}: it is another model, or another version of it.')
        return [full.partition(':')[0] for full in self.nodes[name].get('input', []) if not full.startswith('^')]

    def weight(self, name: str) -> Tensor:
        """A constant.

        Raises:
            ValueError: There is none of this name.
        """
        if name not in self.weights:
            raise ValueError(f'{self.path} lists no weight {name!r}: it is another model, or another version of it.')
        return self.weights[name]


def read_graph(path: str | Path) -> Graph:
    """Reads the JSON file of a graph model, and the files with its weights, which lie beside it.

    Raises:
        FileNotFoundError: One of the files does not exist.
        ValueError: It is not a graph model, or a file of weights is shorter than its table says.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}: give the .json file of a TensorFlow.js graph model.')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        nodes, groups = content['modelTopology']['node'], content['weightsManifest']
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f'{path} is not the whole JSON file of a TensorFlow.js graph model: download it anew.'
        ) from None
    weights = {}
    for group in groups:
        files = [path.parent / name for name in group['paths']]
        if missing := [file for file in files if not file.is_file()]:
            raise FileNotFoundError(f'{path} needs {missing[0]}, which does not exist: download both files.')
        weights.update(_read_weights(path, b''.join(file.read_bytes() for file in files), group['weights']))
    return Graph(path, {node['name']: node for node in nodes}, weights)


def _read_weights(path: Path, content: bytes, table: Sequence[dict]) -> dict[str, Tensor]:
    weights, start = {}, 0
    for entry in table:
        stored = entry.get('quantization') or {}
        dtype, count = np.dtype(stored.get('dtype', entry['dtype'])), int(np.prod(entry['shape']))
        if start + count * dtype.itemsize > len(content):
            raise ValueError(
                f'The weights of {path} are truncated: {entry["name"]!r} ends at byte '
                f'{start + count * dtype.itemsize} of {len(content)}: download both files anew.'
            )
        values = np.frombuffer(content, dtype, count, start).reshape(entry['shape'])
        if 'scale' in stored:
            values = values * stored['scale'] + stored['min']
        weights[entry['name']] = torch.from_numpy(values.astype(entry['dtype']))
        start += count * dtype.itemsize
    return weights


def evaluate(graph: Graph, feeds: Mapping[str, Tensor], outputs: Sequence[str]) -> list[Tensor]:
    """Computes what some nodes put out, each node by itself, as its operator is defined.

    Args:
        graph: The model.
        feeds: What some nodes put out, by name, features as (B, H, W, C); those before them are not evaluated.
        outputs: The nodes.

    Returns:
        One tensor for each of ``outputs``, features as (B, H, W, C).

    Raises:
        ValueError: A node that is needed is missing, or has an operator that is not known here.
    """
    needed, pending = set(), list(outputs)
    while pending:
        name = pending.pop()
        if name not in needed and name not in feeds and name not in graph.weights:
            needed.add(name)
            pending += graph.inputs_of(name)
    values = {**graph.weights, **feeds}
    for name in (name for name in graph.nodes if name in needed):
        operator = graph.nodes[name]['op']
        if operator not in _OPERATORS:
            raise ValueError(f'The node {name!r} of {graph.path} is a {operator}, which is none of {list(_OPERATORS)}.')
        values[name] = _OPERATORS[operator](graph.nodes[name], *(values[source] for source in graph.inputs_of(name)))
    return [values[name] for name in outputs]


def attribute(node: dict, name: str) -> object:
    """An attribute of a node: a number, a string or a list of them; ``None`` where it has none of this name."""
    value = node.get('attr', {}).get(name, {})
    if 'list' in value:
        items = value['list']
        return [_text(item) for item in items['s']] if 's' in items else [int(item) for item in items.get('i', [])]
    return _text(value['s']) if 's' in value else value.get('b', value.get('f', value.get('i')))


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def conv_weight(node: dict, kernel: Tensor) -> Tensor:
    """The kernel of a convolution's node as ``nn.Conv2d`` has it, (C_out, C_in / G, height, width)."""
    if 'Depthwise' in node['op']:
        return kernel.permute(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2]).contiguous()
    return kernel.permute(3, 2, 0, 1).contiguous()


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {'Relu': F.relu, 'Relu6': F.relu6}


def _conv(node: dict, x: Tensor, kernel: Tensor, *rest: Tensor) -> Tensor:
    weight, stride = conv_weight(node, kernel), attribute(node, 'strides')[1:3]
    x, fused = x.permute(0, 3, 1, 2), attribute(node, 'fused_ops') or []
    x = pad_same(x, weight.shape[2:], stride) if attribute(node, 'padding') == 'SAME' else x
    y = F.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1]).permute(0, 2, 3, 1)
    for name in fused:
        y = y + rest[0] if name == 'BiasAdd' else _ACTIVATIONS[name](y)
    return y


def _resize(node: dict, x: Tensor, size: Tensor) -> Tensor:
    """Bilinear, with the centres of the cells aligned, which is how MoveNet was exported."""
    if not attribute(node, 'half_pixel_centers') or attribute(node, 'align_corners'):
        raise ValueError(f'The node {node["name"]!r} resizes without half_pixel_centers, which is not known here.')
    return F.interpolate(x.permute(0, 3, 1, 2), size=size.tolist(), mode='bilinear').permute(0, 2, 3, 1)


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    '_FusedConv2D': _conv,
    'Conv2D': _conv,
    'FusedDepthwiseConv2dNative': _conv,
    'DepthwiseConv2dNative': _conv,
    'AddV2': lambda _, a, b: a + b,
    'BiasAdd': lambda _, a, b: a + b,
    'Sub': lambda _, a, b: a - b,
    'Mul': lambda _, a, b: a * b,
    'Relu': lambda _, x: F.relu(x),
    'Relu6': lambda _, x: F.relu6(x),
    'Sigmoid': lambda _, x: torch.sigmoid(x),
    'Identity': lambda _, x: x,
    'ResizeBilinear': _resize,
}
