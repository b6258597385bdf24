"""What a network costs: plain data, and its sums."""

from collections import Counter
from dataclasses import asdict, dataclass, field

#: The parts of a pose estimator, in the order in which an image passes them.
PARTS = ('backbone', 'neck', 'head')


@dataclass(frozen=True)
class LayerCost:
    """What one module owns and executes itself, its children excepted.

    Attributes:
        name: The qualified name, such as ``'backbone.conv1.conv'``.
        type: The class name.
        params: Number of parameters; one that several layers share counts in the first.
        calls: How often it runs for one sample.
        output_shape: Shape of its last output where that is one tensor, batch included.
        flops: FLOPs by kind: ``'convolution'``, ``'matrix product'``, ``'aggregation'`` and ``'pooling'``.
    """

    name: str
    type: str
    params: int
    calls: int = 0
    output_shape: tuple[int, ...] | None = None
    flops: dict[str, int] = field(default_factory=dict)

    @property
    def madds(self) -> float:
        """Multiply-adds."""
        return sum(self.flops.values()) / 2


@dataclass(frozen=True)
class Complexity:
    """The cost of a network for one sample.

    Attributes:
        layers: All modules that own parameters or execute something counted, in network order.
    """

    layers: tuple[LayerCost, ...]

    @property
    def params(self) -> int:
        """Number of parameters."""
        return sum(layer.params for layer in self.layers)

    @property
    def madds(self) -> float:
        """Multiply-adds."""
        return sum(layer.madds for layer in self.layers)

    @property
    def gflops(self) -> float:
        """Two FLOPs per multiply-add, in units of 10^9."""
        return 2 * self.madds / 1e9

    def part(self, name: str) -> 'Complexity':
        """The cost of one module and all inside it, such as ``'backbone'``; nothing where there is none."""
        return Complexity(tuple(x for x in self.layers if x.name == name or x.name.startswith(name + '.')))

    def madds_by_kind(self) -> dict[str, float]:
        """Multiply-adds of each kind of operation."""
        kinds: Counter = Counter()
        for layer in self.layers:
            kinds.update(layer.flops)
        return {kind: flops / 2 for kind, flops in kinds.items()}

    def to_dict(self) -> dict:
        """Everything as plain data: the totals, those of each part, and the layers."""
        totals = {
            'params': self.params,
            'madds': self.madds,
            'gflops': self.gflops,
            'madds_by_kind': self.madds_by_kind(),
        }
        parts = {name: self.part(name) for name in PARTS}
        parts = {
            name: dict(params=part.params, madds=part.madds, gflops=part.gflops)
            for name, part in parts.items()
            if part.layers
        }
        return {**totals, 'parts': parts, 'layers': [{**asdict(layer), 'madds': layer.madds} for layer in self.layers]}
