"""The attention weights that the layers of a network compute, recorded while it runs.

Shape letters: N images, B batch, K kernels, H and W height and width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dyconv_pose.layers import DyConv2d, dynamic_layers


@dataclass
class LayerAttention:
    """What one dynamic layer computed.

    Attributes:
        name: The layer's name in the network.
        batches: Its attention weights, (B, K) for every batch, on the CPU.
        output_size_hw: Height and width of its last output, in cells.
    """

    name: str
    batches: list[Tensor] = field(default_factory=list)
    output_size_hw: tuple[int, int] | None = None

    @property
    def pi(self) -> Tensor:
        """The attention weights of all images, (N, K).

        Raises:
            ValueError: The layer has not run.
        """
        if not self.batches:
            raise ValueError(f'Attention is there once the network has run, and {self.name} has not.')
        return torch.cat(self.batches)


@contextmanager
def record_attention(network: nn.Module) -> Iterator[dict[str, LayerAttention]]:
    """Records the attention of every dynamic layer while the block runs.

    Args:
        network: A network with dynamic layers, which stays as it is.

    Yields:
        For every dynamic layer, by name, what it computes, in the order in which the layers are defined.

    Raises:
        ValueError: The network has no dynamic layer.
    """
    layers = {name: LayerAttention(name) for name, _ in dynamic_layers(network)}
    if not layers:
        raise ValueError('Attention needs a network with dynamic layers, and this one has none: give a dynamic config.')
    hooks = []
    for name, layer in dynamic_layers(network):
        hooks += [layer.attention.register_forward_hook(_keep_pi(layers[name]))]
        hooks += [layer.register_forward_hook(_keep_size(layers[name]))]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()


def _keep_pi(record: LayerAttention) -> object:
    def hook(_module: nn.Module, _inputs: tuple, pi: Tensor) -> None:
        record.batches.append(pi.detach().float().cpu())

    return hook


def _keep_size(record: LayerAttention) -> object:
    def hook(_module: DyConv2d, _inputs: tuple, y: Tensor) -> None:
        record.output_size_hw = tuple(y.shape[-2:])

    return hook
