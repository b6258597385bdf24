"""Counts parameters and multiply-adds of any network, in the paper's accounting.

Counted are the operations that PyTorch executes for one sample, not the modules that a network is made of: a layer
that runs twice counts twice, a matrix product in a transformer's attention counts as one in a linear layer does, and
nothing here needs to know which layers exist. One multiply-add (MAdd) is two FLOPs. The accounting with which the
paper's tables can be reproduced:

- every convolution, transposed ones included, and every matrix product, so the attention's fully-connected layers and
  the aggregation of kernels (K * |W|, which is one matrix product) too;
- one FLOP (an addition) for each element that a global average pool reads: the attention's, squeeze-and-excitation's,
  the classifier's;
- no normalisation, activation, bias, interpolation or other pooling.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from dyconv_pose.layers import DynamicConv2d, dynamic_layers
from dyconv_pose.layers.cpu.products import LINEAR

from .costs import Complexity, LayerCost

aten = torch.ops.aten


def _matrix_vector(a: Tensor, *_: object, out_val: Tensor) -> int:
    return 2 * a.numel()


def _mean(x: Tensor, dims: list[int] | None = None, *_: object, out_val: Tensor, **__: object) -> int:
    """FLOPs of a mean or sum over both axes of feature maps, which is what a global average pool is executed as."""
    is_global = x.dim() == 4 and sorted(d % 4 for d in dims or ()) == [2, 3]
    return x.numel() if is_global else 0


def _average_pool(x: Tensor, *_: object, out_val: Tensor) -> int:
    """FLOPs of an average pool whose window happens to be the whole feature map."""
    return x.numel() if out_val.shape[-2:] == (1, 1) else 0


#: For each operation counted: its kind, and its FLOPs by PyTorch's own formula, where it has one.
FORMULAS = {
    aten.convolution: ('convolution', flop_registry[aten.convolution]),
    **{op: ('matrix product', flop_registry[op]) for op in (aten.mm, aten.bmm, aten.addmm, aten.baddbmm)},
    aten.mv: ('matrix product', _matrix_vector),
    aten.mean: ('pooling', _mean),
    aten.sum: ('pooling', _mean),
    aten._adaptive_avg_pool2d: ('pooling', _average_pool),
    aten.avg_pool2d: ('pooling', _average_pool),
}
if LINEAR is not None:
    FORMULAS[LINEAR] = ('convolution', flop_registry[LINEAR])


def count(network: nn.Module, *inputs: Tensor, forward: Callable[..., object] | None = None) -> Complexity:
    """Counts what a network does with one sample, by running it once.

    Args:
        network: Any network. It is run in evaluation mode and without gradients, and left as it was.
        *inputs: Its inputs, with a batch of one: images (1, C, H, W).
        forward: Called with ``inputs`` in place of the network.

    Returns:
        The cost of every layer.

    Raises:
        ValueError: The first input holds more than one sample.
    """
    if inputs and len(inputs[0]) != 1:
        raise ValueError(f'Costs are per sample: the batch size must be 1, got {len(inputs[0])}.')
    seen: set[nn.Parameter] = set()
    owned = {}
    for name, module in network.named_modules():
        new = set(module.parameters(recurse=False)) - seen
        owned[name] = sum(parameter.numel() for parameter in new)
        seen |= new
    recorder = _Recorder()
    with _counting(network, recorder), recorder:
        (forward or network)(*inputs)
    costs = (
        LayerCost(
            name,
            type(module).__name__,
            owned[name],
            recorder.calls[name],
            recorder.shapes.get(name),
            dict(recorder.flops[name]),
        )
        for name, module in network.named_modules()
    )
    return Complexity(tuple(cost for cost in costs if cost.params or cost.flops))


class _Recorder(TorchDispatchMode):
    """Sees every operation while it is active, and books it on the module that is running.

    Attributes:
        flops: FLOPs by module name and kind of operation.
        calls: Number of calls by module name.
        shapes: Shape of the last output by module name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops: dict[str, Counter] = defaultdict(Counter)
        self.calls: Counter = Counter()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._running: list[tuple[str, nn.Module | None]] = [('', None)]

    def enter(self, name: str, module: nn.Module, inputs: tuple) -> None:
        """A forward pre-hook."""
        self._running.append((name, module))
        self.calls[name] += 1

    def leave(self, name: str, module: nn.Module, inputs: tuple, output: object) -> None:
        """A forward hook."""
        self._running.pop()
        if isinstance(output, Tensor):
            self.shapes[name] = tuple(output.shape)

    def __torch_dispatch__(
        self, func: torch._ops.OpOverload, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in FORMULAS:
            kind, formula = FORMULAS[func.overloadpacket]
            name, module = self._running[-1]
            if kind == 'matrix product' and isinstance(module, DynamicConv2d):
                kind = 'aggregation'
            if flops := formula(*args, **(kwargs or {}), out_val=out):
                self.flops[name][kind] += flops
        return out


@contextmanager
def _counting(network: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """The network as it is to be counted: observed, in evaluation mode, its dynamic biases taken away."""
    modes = {module: module.training for module in network.modules()}
    biases = {layer: layer.bias for _, layer in dynamic_layers(network)}
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        for name, module in network.named_modules():
            handle = module.register_forward_pre_hook(partial(recorder.enter, name))
            stack.callback(handle.remove)
            handle = module.register_forward_hook(partial(recorder.leave, name), always_call=True)
            stack.callback(handle.remove)
        try:
            network.eval()
            for layer in biases:
                layer.bias = None  # mixing the biases is a matrix product, but biases are not counted
            # Attention as plain matrix products: the fused kernels would hide them.
            torch.backends.mha.set_fastpath_enabled(False)
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            for layer, bias in biases.items():
                layer.bias = bias
            for module, training in modes.items():
                module.training = training
