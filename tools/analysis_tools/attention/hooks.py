"""Hooks on the attention of dynamic layers: what they compute is recorded, or replaced (section 5.3 of the paper).

Shape letters: N images, B batch, K kernels.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dyconv_pose.layers import dynamic_layers


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


def _keep_pi(record: LayerAttention) -> Callable:
    return lambda _module, _inputs, pi: record.batches.append(pi.detach().float().cpu())


def _keep_size(record: LayerAttention) -> Callable:
    def hook(_module: nn.Module, _inputs: tuple, y: Tensor) -> None:
        record.output_size_hw = tuple(y.shape[-2:])

    return hook


def _mean(pi: Tensor, mean_pi: Tensor) -> Tensor:
    return mean_pi.to(pi).expand_as(pi)


def _max(pi: Tensor, _mean_pi: Tensor) -> Tensor:
    return F.one_hot(pi.argmax(dim=1), pi.shape[1]).to(pi)


def _uniform(pi: Tensor, _mean_pi: Tensor) -> Tensor:
    return torch.full_like(pi, 1 / pi.shape[1])


def _shuffle(pi: Tensor, _mean_pi: Tensor) -> Tensor:
    # By half the batch: each image gets another's, and the same one's in every layer.
    return pi.roll(max(len(pi) // 2, 1), dims=0)


#: For each replacement, a function of a layer's own attention (B, K) and the data set's mean attention (K).
REPLACEMENTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        'mean': _mean,  # the data set's mean attention: one static network
        'max': _max,  # of each image's attention, the largest alone
        'uniform': _uniform,  # an equal share for each kernel
        'shuffle': _shuffle,  # the attention of another image
    }
)


@contextmanager
def replace_attention(
    network: nn.Module, replacement: str, mean_pi: Mapping[str, Tensor], layers: Collection[str] | None = None
) -> Iterator[None]:
    """Puts other attention weights in place of those that layers compute, while the block runs.

    Args:
        network: The network, which is as it was afterwards.
        replacement: A key of :data:`REPLACEMENTS`.
        mean_pi: For each layer, by name, the data set's mean attention, (K,).
        layers: Names of the layers to change; by default, all.

    Raises:
        ValueError: The replacement or a layer does not exist.
    """
    if replacement not in REPLACEMENTS:
        raise ValueError(f'replacement must be one of {sorted(REPLACEMENTS)}, got {replacement!r}.')
    found = dict(dynamic_layers(network))
    chosen = list(found if layers is None else layers)
    if unknown := [name for name in chosen if name not in found]:
        raise ValueError(f'Attention can be replaced in a dynamic layer, and "{unknown[0]}" is none of the network.')
    hooks = [
        found[name].attention.register_forward_hook(_hook(REPLACEMENTS[replacement], mean_pi[name])) for name in chosen
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(replace: Callable[[Tensor, Tensor], Tensor], mean_pi: Tensor) -> Callable:
    return lambda _module, _inputs, pi: replace(pi, mean_pi)
