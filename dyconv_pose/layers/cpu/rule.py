"""The rule that picks the form in which per-sample convolutions run.

All forms are the same function. They differ in speed, in memory, and in what a compiler or an exporter can do with
them. ``benchmarks/layer_cost.py`` measures them, and the rule is what its tables say (docs/operator.md).
"""

import torch
from torch import Tensor

from ..geometry import Geometry

#: ``single``: a batch of one (or none) is an ordinary convolution.
#: ``product``: a matrix product for each sample.
#: ``grouped``: one convolution with B * G groups.
#: ``by_sample`` and ``by_channel``: in tiles, as one operator; see :mod:`~dyconv_pose.layers.cpu.tiles`.
#: ``branches``: the mixture of the outputs of K static convolutions.
FORMS = ('single', 'product', 'grouped', 'by_sample', 'by_channel', 'branches')

#: Positions of an output up to which dense kernels are so much larger than the features that they are to be read once.
_SMALL_MAP = 64


def is_single(x: Tensor) -> bool:
    """Whether features (B, ...) are a batch of one, or none, and may be taken for that: not where any B may follow."""
    # An exporter's symbol is no integer, and compared with one it would become a constant of the graph.
    return not torch.jit.is_tracing() and isinstance(x.shape[0], int) and x.shape[0] <= 1


def choose_form(x: Tensor, geometry: Geometry, is_mixture: bool = True) -> str:
    """The form that suits features and a convolution best.

    A graph that is traced, or exported with a free batch size, must hold for every batch size. A trace has products,
    which counters of FLOPs understand. A batch of one is an ordinary convolution. On a CPU, mixtures of a bank are made
    in tiles: by output channels where the layer is a matrix product, as pointwise layers are and dense layers on small
    maps should be; by samples otherwise. Elsewhere pointwise layers are a batched matrix product, and all others are
    grouped. Kernels that are no mixture of a bank, but given for each sample, have no tiles.
    """
    if is_single(x):
        return 'single'
    is_exported = torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()
    if is_exported or torch.jit.is_tracing():
        return 'branches' if is_exported and is_mixture and geometry.groups > 1 else 'product'
    if x.device.type != 'cpu' or not is_mixture:
        return 'product' if geometry.is_matmul else 'grouped'
    height, width = geometry.output_size(x)
    is_small = geometry.groups == 1 and height * width <= _SMALL_MAP
    return 'by_channel' if geometry.is_matmul or is_small else 'by_sample'
