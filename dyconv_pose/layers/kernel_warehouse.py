"""KernelWarehouse (Li and Yao, ICML 2024): kernels assembled from cells that the layers of a stage share.

The kernels of all layers of a warehouse are cut into cells of one size, (c_out, c_in) at one place of the kernel. Each
layer owns some of the N cells of its warehouse, and sees all of them. The image mixes them anew for each of the m
cells that make up a layer's kernel::

    z               = FC(ReLU(BN(FC(average pool(x)))))              m times N + 1 numbers
    a_j             = z_j / (sum_n |z_jn| + 0.001)                   of either sign: mixtures contrast cells
    a_j             = tau start_j + (1 - tau) a_j                    start_j: one hot, the layer's own cell
    W(x)            = [sum_n a_1n E_n, ..., sum_n a_mn E_n]          cell N + 1 is zero
    y               = W(x) * x + b

tau falls from 1 to 0 while training begins. The budget b is the share of the cells that would make up all kernels.
With b = 1, every piece of a kernel begins as a cell of its own. With b = 1/2, every other piece begins at zero.

The equations are those of ``modules/kernel_warehouse.py`` in the authors' repository
(github.com/OSVAI/KernelWarehouse), with kernels cut at every place (``spatial_partition=True``) and without the
low-rank basis of ``nonlocal_basis_ratio``.

Shape letters: B batch, C_in and C_out channels, G groups, H and W height and width, k kernel size, and those above.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import gcd, prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import DynamicConv2d
from .dynamic_conv import aggregate, convolve_per_sample, pooled
from .forms import without_autocast
from .geometry import Geometry
from .od_conv import normalised


class ContrastAttention(nn.Module):
    """Attention over the cells of a warehouse for each mixture of a layer (section 3.3 of the paper).

    Args:
        in_channels: C_in.
        start: (m,), for each mixture the cell that it begins as, N for none.
        num_cells: N.
        reduction: C_in over the width of the hidden vector, which is at least 16.
        temperature: tau.
    """

    def __init__(self, in_channels: int, start: Tensor, num_cells: int, reduction: float, temperature: float) -> None:
        super().__init__()
        hidden = max(int(in_channels / reduction), 16)
        self.squeeze = nn.Linear(in_channels, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.excite = nn.Linear(hidden, len(start) * (num_cells + 1))
        for layer in (self.squeeze, self.excite):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')
        nn.init.zeros_(self.excite.bias)
        self.register_buffer('temperature', torch.tensor(float(temperature)))
        self.register_buffer('start', F.one_hot(start, num_cells + 1).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, m, N)."""
        with without_autocast(x.device.type):  # the normalisation would make rounding errors large
            h = F.relu(normalised(self.squeeze(pooled(x).to(self.squeeze.weight.dtype)), self.norm))
            z = self.excite(h).unflatten(1, self.start.shape)
        attention = z / (z.abs().sum(dim=2, keepdim=True) + 1e-3)
        return torch.lerp(attention, self.start.to(z.dtype).expand_as(z), self.temperature.to(z.dtype))[:, :, :-1]


class KernelWarehouse2d(DynamicConv2d):
    """A layer of KernelWarehouse, a drop-in for :class:`torch.nn.Conv2d` in a network that is converted whole.

    A warm start is exact for a budget of at least 1, and sets tau to 1, at which every cell is a piece of a static
    kernel. With a smaller budget it is refused: there are fewer cells than pieces.

    Args:
        *arguments: ``nn.Conv2d``'s, as in :class:`~dyconv_pose.layers.DynamicConv2d`.
        budget: b, a whole number or one over a whole number.
        warehouses: Which layers share their cells: for each warehouse a mapping with ``layers``, patterns over the
            layers' names such as ``'layer2.*'``, and, where they are to differ, ``budget``, ``cell_in`` and
            ``cell_out``. The first that matches counts. Layers that none matches share with those of the same stage,
            which is the part of the name that ends with the first number. Depthwise layers never share with others.
        cell_in: c_in over the largest common divisor of the input channels per group of the layers that share; by
            default b, at most 1.
        cell_out: The same of c_out and the output channels.
        reduction: C_in over the attention's hidden width; 16 in the paper.
        temperature: tau, at which training starts, between 0 and 1.

    Attributes:
        weight: The layer's own cells, (N_own, c_out, c_in).
        attention: The :class:`ContrastAttention`.

    Raises:
        ValueError: An argument is out of its range.
    """

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
        **_: object,
    ) -> nn.Module:
        """Checks the arguments; the attention comes with the cells, in :meth:`connect`."""
        if self.num_kernels != 1:
            raise ValueError(
                f'KernelWarehouse2d has no kernels of its own, got num_kernels={self.num_kernels}: set budget.'
            )
        self.check_temperature(temperature)
        if not reduction > 0:
            raise ValueError(f'reduction must be positive, got {reduction}: the paper uses 16.')
        self.budget, self.options = budget, dict(budget=budget, cell_in=cell_in, cell_out=cell_out)
        self.warehouses, self.reduction, self.start_temperature = warehouses, reduction, temperature
        for options in (self.options, *warehouses):
            share = options.get('budget', 1)
            if share <= 0 or (share % 1 and 1 / share % 1):
                raise ValueError(f'budget must be a whole number or one over a whole number, got {share}.')
        #: The layers that share their cells, this one among them, as no parts of it; none until they are connected.
        self.members: tuple[KernelWarehouse2d, ...] = ()
        return nn.Identity()

    @classmethod
    def connect(cls, layers: Mapping[str, 'KernelWarehouse2d']) -> None:
        """Cuts the kernels of new layers, given by their names in the network, into cells that they share."""
        shared: dict[object, dict[KernelWarehouse2d, dict]] = {}
        for name, layer in layers.items():
            entries = [entry for entry in layer.warehouses if any(fnmatchcase(name, p) for p in entry['layers'])]
            stage = layer.warehouses.index(entries[0]) if entries else _stage(name)
            options = layer.options | (entries[0] if entries else {})
            shared.setdefault((stage, layer.groups == layer.in_channels > 1), {})[layer] = options
        for members in shared.values():
            options = next(iter(members.values()))
            _share_cells(tuple(members), options['budget'], options['cell_in'], options['cell_out'])

    def aggregate(self, attention: Tensor, bank: Tensor) -> Tensor:
        """Makes each sample's kernel (B, C_out, C_in / G, k, k) from attention (B, m, N) and cells (N, c_out, c_in)."""
        cells = aggregate(attention.flatten(0, 1).to(bank.dtype), bank)  # (B * m, c_out, c_in)
        pieces = cells.unflatten(0, (-1, *self._cuts(*bank.shape[1:])))  # (B, k * k, outs, ins, c_out, c_in)
        return pieces.permute(0, 2, 4, 3, 5, 1).reshape(-1, *self._kernel_shape)

    def convolve(self, x: Tensor, attention: Tensor, geometry: Geometry) -> Tensor:
        """Assembles the kernels from the cells of all layers that share them, and convolves."""
        weight = self.aggregate(attention, torch.cat([layer.weight for layer in self.members]))
        return convolve_per_sample(x, weight, None if self.bias is None else self.bias.expand(x.shape[0], -1), geometry)

    def forward(self, x: Tensor) -> Tensor:
        """As any dynamic convolution.

        Raises:
            ValueError: The layer is not part of a converted network.
        """
        if not self.members:
            raise ValueError(
                'KernelWarehouse2d has no kernels before it is connected with the layers of its network: build it by '
                "make_dynamic(network, 'KernelWarehouse2d')."
            )
        return super().forward(x)

    def init_weights(self) -> None:
        """As any dynamic convolution: the kernel that the cells make up is drawn as a static one."""
        if not self.members:
            return super().init_weights()
        kernel = self.weight.new_empty(self._kernel_shape)
        nn.init.kaiming_normal_(kernel, mode='fan_out', nonlinearity='relu')
        self.weight.data.copy_(self.cells_of(kernel))
        return None

    def cells_of(self, kernel: Tensor) -> Tensor:
        """The layer's own cells, of which those that begin as pieces of a kernel are made so, (N_own, c_out, c_in)."""
        c_out, c_in = self.weight.shape[1:]
        places, outs, ins = self._cuts(c_out, c_in)
        pieces = kernel.reshape(outs, c_out, ins, c_in, places).permute(4, 0, 2, 1, 3).flatten(0, 2)
        cells = self.attention.start.argmax(dim=1) - self.first_cell  # (m,)
        own = cells < len(self.weight)
        new = self.weight.detach().to(kernel, copy=True)
        new[cells[own]] = pieces[own]
        return new

    def from_static(self, weight: Tensor, bias: Tensor | None = None, *noise: object) -> dict[str, Tensor]:
        """As every operator, with tau at 1; there are no kernels that noise could part.

        Raises:
            ValueError: The budget is below 1, or the layer is to begin at another temperature.
        """
        if self.budget < 1:
            raise ValueError(
                'A warm start of KernelWarehouse2d needs a cell for each piece of the static kernels, and a budget '
                'below 1 has fewer: train it from scratch, or set budget=1.'
            )
        if not self.members:
            if self.start_temperature != 1:
                raise ValueError(
                    f'A warm start of KernelWarehouse2d is exact at temperature=1, got {self.start_temperature}.'
                )
            return super().from_static(weight, bias)
        new = {'weight': self.cells_of(weight), 'attention.temperature': torch.ones_like(self.temperature)}
        return self.state_dict() | new | ({} if bias is None else {'bias': bias[None]})

    def _make_exact(self, found: dict[str, Tensor], static: dict[str, Tensor]) -> None:
        """Nothing: the kernel is there as it is."""

    @staticmethod
    def check_temperature(temperature: float) -> None:
        """Raises ValueError for a temperature that is no share."""
        if not 0 <= temperature <= 1:
            raise ValueError(
                f'temperature must be between 0 and 1 for KernelWarehouse2d, got {temperature}: the authors go from 1 to '
                '0, TemperatureHook(start=1, end=0).'
            )

    @property
    def kernel_attention(self) -> None:
        """None: mixtures are of either sign, and each piece of the kernel has its own."""

    @property
    def _kernel_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def _cuts(self, c_out: int, c_in: int) -> tuple[int, int, int]:
        """Into how many pieces a kernel is cut: by place, output channel and input channel."""
        rows, columns = self.kernel_size
        return rows * columns, self.out_channels // c_out, self.in_channels // self.groups // c_in


def _stage(name: str) -> str:
    """The part of a layer's name that ends with the first number, such as ``layer2`` of ``layer2.0.conv1``."""
    parts = name.split('.')
    return '.'.join(parts[: next((n + 1 for n, part in enumerate(parts) if part[-1:].isdigit()), len(parts) - 1)])


@torch.no_grad()
def _share_cells(
    layers: Sequence[KernelWarehouse2d], budget: float, cell_in: float | None, cell_out: float | None
) -> None:
    """Gives layers their cells, cut from the kernels that they have, and their attention to the cells of all."""
    shapes = [layer._kernel_shape[:2] for layer in layers]
    divisors = gcd(*(shape[0] for shape in shapes)), gcd(*(shape[1] for shape in shapes))
    shares = [min(budget, 1) if share is None else share for share in (cell_out, cell_in)]
    cell = [max(int(divisor * share), 1) for divisor, share in zip(divisors, shares, strict=True)]
    if any(channels % size for shape in shapes for channels, size in zip(shape, cell, strict=True)):
        raise ValueError(f'cell_in and cell_out must cut channels {shapes} evenly, got cells of {cell}: choose 1 / n.')
    starts = [_start(prod(layer._cuts(*cell)), budget) for layer in layers]
    num_cells = sum(own for _, own in starts)
    first = 0
    for layer, (start, own) in zip(layers, starts, strict=True):
        kernel = layer.weight[0]
        start = torch.where(start < 0, num_cells, first + start)
        layer.attention = ContrastAttention(
            layer.in_channels, start, num_cells, layer.reduction, layer.start_temperature
        ).to(kernel)
        layer.weight = nn.Parameter(torch.randn(own, *cell).to(kernel) * kernel.std(correction=0))
        layer.members, layer.first_cell, layer.budget = tuple(layers), first, budget
        layer.weight.copy_(layer.cells_of(kernel))
        first += own


def _start(pieces: int, budget: float) -> tuple[Tensor, int]:
    """For each piece of a kernel the layer's cell that it begins as, -1 for none (m,), and the number of its cells."""
    index = torch.arange(pieces)
    if budget >= 1:
        return index * int(budget), pieces * int(budget)
    share = round(1 / budget)
    own = index % share == index // share % share  # as the authors spread them
    return torch.where(own, own.cumsum(0) - 1, -1), int(own.sum())
