"""KernelWarehouse (Li and Yao, ICML 2024): kernels assembled from cells that the layers of a stage share.

The kernels of all layers of a warehouse are cut into pieces (c_out, c_in) at one place of the kernel. Each layer owns
some of the warehouse's N cells. The image mixes all of them anew for each of the m pieces of a layer's kernel::

    z    = FC(ReLU(BN(FC(average pool(x)))))                 m times N + 1 numbers
    a_j  = tau start_j + (1 - tau) z_j / (sum_n |z_jn| + 0.001)
    W(x) = [sum_n a_1n E_n, ..., sum_n a_mn E_n]             of either sign: mixtures contrast cells; E_(N + 1) = 0
    y    = W(x) * x + b

start_j is one-hot: the cell that the piece begins as, of the layer's own. tau falls from 1 to 0 while training begins.
The budget b is N over the number of all pieces: with 1 each begins as a cell of its own, with 1/2 every other as zero.

The equations are those of ``modules/kernel_warehouse.py`` in the authors' repository (github.com/OSVAI/KernelWarehouse)
with ``spatial_partition=True``, without ``nonlocal_basis_ratio``. Cells are drawn as static kernels are.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from math import gcd, prod
from string import digits

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import DynamicConv2d, normalised
from .dynamic_conv import aggregate, convolve_per_sample, pooled
from .forms import Geometry, without_autocast


class ContrastAttention(nn.Module):
    """Attention over N cells for each piece of a kernel, which ``start`` (m, N + 1) says the beginning of."""

    def __init__(self, in_channels: int, start: Tensor, reduction: float, temperature: float) -> None:
        super().__init__()
        hidden = max(int(in_channels / reduction), 16)
        self.squeeze = nn.Linear(in_channels, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.excite = nn.Linear(hidden, start.numel())
        for layer in (self.squeeze, self.excite):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
        nn.init.zeros_(self.excite.bias)
        self.register_buffer('temperature', torch.tensor(float(temperature)))
        self.register_buffer('start', start.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, m, N)."""
        with without_autocast(x.device.type):  # the normalisation would make rounding errors large
            h = F.relu(normalised(self.squeeze(pooled(x).to(self.squeeze.weight.dtype)), self.norm))
            z = self.excite(h).unflatten(1, self.start.shape)
        attention = z / (z.abs().sum(dim=2, keepdim=True) + 1e-3)
        return torch.lerp(attention, self.start.to(z.dtype).expand_as(z), self.temperature.to(z.dtype))[:, :, :-1]


class KernelWarehouse2d(DynamicConv2d):
    """A layer of KernelWarehouse, a drop-in for :class:`torch.nn.Conv2d` in a network that is converted whole.

    A warm start is exact for a budget of at least 1, and sets tau to 1; as tau falls, the kernel stays what it is until
    training changes z. With fewer cells than pieces it is refused. No normalisation is folded: cells are shared.

    Args:
        budget: b, a whole number or one over a whole number.
        warehouses: Which layers share their cells: mappings with ``layers``, patterns over names, and, where they are
            to differ, ``budget``, ``cell_in`` and ``cell_out``; the first that matches counts. Other layers share with
            those of their stage. Depthwise layers share among themselves.
        cell_in: c_in over the largest common divisor of the sharing layers' C_in / G; by default b, at most 1.
        cell_out: The same of c_out and C_out.
        reduction: C_in over the attention's hidden width, which is at least 16; 16 in the paper.
        temperature: tau, at which training starts, between 0 and 1.

    Once converted, ``weight`` are the layer's own cells (N_own, c_out, c_in), ``members`` the layers that share theirs.
    """

    kernel_attention = None  # mixtures are of either sign, and each piece of the kernel has its own
    start_gain = 1.0

    def __init__(self, *arguments: object, num_kernels: int = 1, **keywords: object) -> None:
        super().__init__(*arguments, num_kernels=num_kernels, **keywords)

    def build_attention(
        self,
        budget: float = 1,
        warehouses: Sequence[Mapping] = (),
        cell_in: float | None = None,
        cell_out: float | None = None,
        reduction: float = 16,
        temperature: float = 1.0,
        device: object = None,
        dtype: object = None,
    ) -> nn.Module:
        """Checks the arguments; the attention comes with the cells, in :meth:`connect`."""
        if self.num_kernels != 1:
            raise ValueError(f'KernelWarehouse2d has no num_kernels, got {self.num_kernels}: set budget.')
        if not reduction > 0:
            raise ValueError(f'reduction must be positive, got {reduction}: the paper uses 16.')
        for entry in warehouses:
            if entry.keys() - {'layers', 'budget', 'cell_in', 'cell_out'} or isinstance(entry.get('layers', ''), str):
                raise ValueError(f'A warehouse has a list of layers, budget, cell_in and cell_out, got {entry}.')
        budgets = [budget, *(entry.get('budget', budget) for entry in warehouses)]
        if wrong := [share for share in budgets if share <= 0 or (share % 1 and 1 / share % 1)]:
            raise ValueError(f'budget must be a whole number or one over a whole number, got {wrong[0]}.')
        self.check_temperature(temperature)
        self.options = dict(budget=budget, cell_in=cell_in, cell_out=cell_out)
        self.warehouses, self.reduction, self.start_temperature, self.members = warehouses, reduction, temperature, ()
        self.budget = min(budgets)  # until the layer has its warehouse
        return nn.Identity()

    @staticmethod
    def check_temperature(temperature: float) -> None:
        """Raises ValueError for a temperature that is no share."""
        if not 0 <= temperature <= 1:
            raise ValueError(
                f'temperature must be within 0 and 1, got {temperature}: set TemperatureHook(start=1, end=0).'
            )

    @classmethod
    def connect(cls, layers: Mapping[str, 'KernelWarehouse2d']) -> None:
        """Cuts the kernels of new layers, given by their names in the network, into cells that they share."""
        shared: dict[tuple, tuple[dict, list[KernelWarehouse2d]]] = {}
        stages, names = _stages(layers), {layer: name for name, layer in layers.items()}
        for layer, name in names.items():
            entry = next((e for e in layer.warehouses if any(fnmatchcase(name, p) for p in e['layers'])), {})
            key = layer.warehouses.index(entry) if entry else stages[name], layer.groups == layer.in_channels > 1
            shared.setdefault(key, (layer.options | dict(entry), []))[1].append(layer)
        used = {place for place, _ in shared}
        if unused := [entry for place, entry in enumerate(layer.warehouses) if place not in used]:
            raise ValueError(f'The layers of a warehouse must be among {list(layers)[:4]}..., got {unused[0]}.')
        for options, members in shared.values():
            _share_cells(tuple(members), options['budget'], options['cell_in'], options['cell_out'])

    def forward(self, x: Tensor) -> Tensor:
        """As any dynamic convolution, in a converted network."""
        if not self.members:
            raise ValueError('KernelWarehouse2d shares cells with other layers: build it by make_dynamic(network)')
        return super().forward(x)

    def kernels(self, attention: Tensor) -> tuple[Tensor, Tensor | None]:
        """Assembles each sample's kernel from the cells of all members, by attention (B, m, N)."""
        bank = torch.cat([layer.weight for layer in self.members])  # (N, c_out, c_in)
        cells = aggregate(attention.flatten(0, 1).to(bank.dtype), bank)  # (B * m, c_out, c_in)
        pieces = cells.unflatten(0, (-1, *self.cuts(*bank.shape[1:])))  # (B, k * k, outs, ins, c_out, c_in)
        weight = pieces.permute(0, 2, 4, 3, 5, 1).reshape(-1, *self.kernel_shape)
        return weight, None if self.bias is None else self.bias.expand(attention.shape[0], -1)

    def convolve(self, x: Tensor, attention: Tensor, geometry: Geometry) -> Tensor:
        """Convolves with assembled kernels."""
        return convolve_per_sample(x, *self.kernels(attention), geometry)

    def cuts(self, c_out: int, c_in: int) -> tuple[int, int, int]:
        """Into how many pieces a kernel is cut: by place, output channel and input channel."""
        channels_out, channels_in, rows, columns = self.kernel_shape
        return rows * columns, channels_out // c_out, channels_in // c_in

    def cells_of(self, kernel: Tensor) -> Tensor:
        """The layer's own cells, those that begin as pieces made those of a static kernel, (N_own, c_out, c_in)."""
        c_out, c_in = self.weight.shape[1:]
        places, outs, ins = self.cuts(c_out, c_in)
        pieces = kernel.reshape(outs, c_out, ins, c_in, places).permute(4, 0, 2, 1, 3).flatten(0, 2)  # (m, c_out, c_in)
        starts = self.attention.start[:, self.first_cell :][:, : len(self.weight)]  # (m, N_own)
        is_start, pieces = starts.any(dim=0), pieces[starts.argmax(dim=0)]  # (N_own,), (N_own, c_out, c_in)
        return torch.where(is_start[:, None, None], pieces, self.weight.detach().to(kernel))

    def init_weights(self) -> None:
        """Draws the kernel that the cells make up as a static one; biases are zero."""
        if self.members:
            kernel = self.weight.new_empty(self.kernel_shape)
            self.weight.data = self.cells_of(nn.init.kaiming_normal_(kernel, mode='fan_out', nonlinearity='relu'))
        else:
            super().init_weights()

    def from_static(self, weight: Tensor, bias: Tensor | None = None) -> dict[str, Tensor]:
        """As every operator, with tau at 1."""
        if self.budget < 1:
            raise ValueError('A budget below 1 has fewer cells than static kernels have pieces: set budget=1')
        if self.start_temperature != 1:
            raise ValueError(f'A warm start is exact at temperature=1, got {self.start_temperature}: leave it out.')
        state = super().from_static(weight, bias)
        if self.members:
            excite, start = self.attention.excite, self.attention.start
            state |= {'weight': self.cells_of(weight), 'attention.temperature': torch.ones_like(self.temperature)}
            # z begins as start too, so that the mixture stays when tau falls; N + 1 times it, for all N + 1 numbers of
            # a piece learn at one rate, and the many others would soon outweigh a one.
            state |= {'attention.excite.weight': torch.zeros_like(excite.weight)}
            state |= {'attention.excite.bias': (start * start.shape[1]).flatten().to(excite.bias)}
        return state


def _stages(names: Iterable[str]) -> dict[str, str]:
    """The stage of each layer: its name up to the first number, such as ``layer2`` of ``layer2.1.conv1``."""
    # The first block of a stage counts to the one before, as its widths do: layer2.0.conv1 to layer1.
    stages, previous, current = {}, '', ''
    for name in names:
        parts = name.split('.')
        end = next((n + 1 for n, part in enumerate(parts) if part[-1:].isdigit()), len(parts) - 1)
        if (stage := '.'.join(parts[:end])) != current:
            previous, current = current, stage
        is_handed_over = parts[end : end + 1] == ['0'] and previous.rstrip(digits) == stage.rstrip(digits)
        stages[name] = previous if is_handed_over else stage
    return stages


@torch.no_grad()
def _share_cells(layers: tuple, budget: float, cell_in: float | None, cell_out: float | None) -> None:
    """Gives layers their cells, cut from the kernels that they have, and their attention to the cells of all."""
    shapes = [layer.kernel_shape[:2] for layer in layers]
    shares = [min(budget, 1) if share is None else share for share in (cell_out, cell_in)]
    cell = [max(int(gcd(*sizes) * share), 1) for sizes, share in zip(zip(*shapes, strict=True), shares, strict=True)]
    if any(channels % size for shape in shapes for channels, size in zip(shape, cell, strict=True)):
        raise ValueError(f'cell_in and cell_out must cut channels {shapes} evenly, got cells of {cell}: choose 1 / n.')
    starts, num_cells = [], 0
    for layer in layers:  # for each piece of a kernel the cell that it begins as, -1 for none
        index = torch.arange(prod(layer.cuts(*cell)), device='cpu')  # also in a network on the meta device
        layer.first_cell, share = num_cells, round(1 / min(budget, 1))
        begins = index % share == index // share % share  # as the authors spread them
        cells = (begins.cumsum(0) - 1) * max(int(budget), 1)
        starts.append(torch.where(begins, num_cells + cells, -1))
        num_cells += int(begins.sum()) * max(int(budget), 1)
    ends = [layer.first_cell for layer in layers[1:]] + [num_cells]
    for layer, start, end in zip(layers, starts, ends, strict=True):
        kernel, is_trained = layer.weight[0], layer.weight.requires_grad
        start = F.one_hot(torch.where(start < 0, num_cells, start), num_cells + 1)
        attention = ContrastAttention(layer.in_channels, start, layer.reduction, layer.start_temperature)
        layer.attention = attention.to(kernel).train(layer.training).requires_grad_(is_trained)
        cells = torch.randn(end - layer.first_cell, *cell).to(kernel) * kernel.std(correction=0)
        layer.weight, layer.members, layer.budget = nn.Parameter(cells, requires_grad=is_trained), layers, budget
        layer.weight.copy_(layer.cells_of(kernel))
