"""Hooks on the attention of dynamic layers: what they compute is recorded, or replaced (section 5.3 of the paper).

Shape letters: N images, B batch, K kernels.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dyconv_pose.layers import DynamicConv2d, dynamic_layers

#: For each replacement, a function of a layer's own attention (B, K) and the dataset's mean attention (K).
REPLACEMENTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        # the dataset's mean attention: one static network
        'mean': lambda pi, mean_pi: mean_pi.to(pi).expand_as(pi),
        # of each image's attention, the largest alone
        'max': lambda pi, _: F.one_hot(pi.argmax(dim=1), pi.shape[1]).to(pi),
        # an equal share for each kernel
        'uniform': lambda pi, _: torch.full_like(pi, 1 / pi.shape[1]),
        # the attention of another image, half a batch away, the same one in every layer
        'shuffle': lambda pi, _: pi.roll(max(len(pi) // 2, 1), dims=0),
    }
)


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

    def keep_pi(self, _module: nn.Module, _inputs: tuple, pi: Tensor) -> None:
        """A forward hook of the attention."""
        self.batches.append(pi.detach().float().cpu())

    def keep_size(self, _module: nn.Module, _inputs: tuple, y: Tensor) -> None:
        """A forward hook of the layer."""
        self.output_size_hw = tuple(y.shape[-2:])


def _layers_with_attention(network: nn.Module) -> dict[str, DynamicConv2d]:
    """The layers that weight kernels, by name; operators such as DCD have no such weights."""
    return {name: layer for name, layer in dynamic_layers(network) if layer.kernel_attention is not None}


@contextmanager
def record_attention(network: nn.Module) -> Iterator[dict[str, LayerAttention]]:
    """Records the attention of every dynamic layer while the block runs.

    Yields:
        For every dynamic layer, by name, what it computes, in the order in which the layers are defined.

    Raises:
        ValueError: The network has no dynamic layer.
    """
    layers = _layers_with_attention(network)
    if not layers:
        raise ValueError(
            'Attention needs a network with dynamic layers that choose among kernels, and this one has none: give a '
            "dynamic config such as one of conv_cfg=dict(type='DyConv2d')."
        )
    recorded = {name: LayerAttention(name) for name in layers}
    with ExitStack() as stack:
        for name, layer in layers.items():
            stack.callback(layer.kernel_attention.register_forward_hook(recorded[name].keep_pi).remove)
            stack.callback(layer.register_forward_hook(recorded[name].keep_size).remove)
        yield recorded


@contextmanager
def replace_attention(
    network: nn.Module, replacement: str, mean_pi: Mapping[str, Tensor], layers: Collection[str] | None = None
) -> Iterator[None]:
    """Puts other attention weights in place of those that layers compute, while the block runs.

    Args:
        network: The network, which is as it was afterwards.
        replacement: A key of :data:`REPLACEMENTS`.
        mean_pi: For each layer, by name, the dataset's mean attention, (K,).
        layers: Names of the layers to change; by default, all.

    Raises:
        ValueError: The replacement or a layer does not exist.
    """
    if replacement not in REPLACEMENTS:
        raise ValueError(f'replacement must be one of {sorted(REPLACEMENTS)}, got {replacement!r}.')
    replace, found = REPLACEMENTS[replacement], _layers_with_attention(network)
    chosen = list(found if layers is None else layers)
    if unknown := [name for name in chosen if name not in found]:
        raise ValueError(f'Attention can be replaced in a dynamic layer, and "{unknown[0]}" is none of the network.')
    with ExitStack() as stack:
        for name in chosen:
            hook = found[name].kernel_attention.register_forward_hook(
                lambda _module, _inputs, pi, mean=mean_pi[name]: replace(pi, mean)
            )
            stack.callback(hook.remove)
        yield
