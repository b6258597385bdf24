"""Makes a built network dynamic: replaces its convolutions by a rule over their names."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from torch import nn

from .dynamic_conv import DyConv2d


def convert_convs(
    network: nn.Module,
    factory: Callable[[nn.Conv2d], nn.Module],
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
) -> list[str]:
    """Replaces, in place, every ``nn.Conv2d`` of a network that the rule names.

    All other layers keep their names and parameters, so their checkpoint keys stay as they are.

    Args:
        network: The network, changed in place.
        factory: Makes the new layer from the old one.
        include: Shell-style patterns over qualified layer names, such as ``'layer3.*'``: a convolution is converted
            where one of them matches.
        exclude: Patterns that win over ``include``.

    Returns:
        The names of the converted layers, in network order.

    Raises:
        ValueError: No convolution matches the rule.
    """

    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    convs = {name: module for name, module in network.named_modules() if type(module) is nn.Conv2d}
    chosen = [name for name in convs if matches(name, include) and not matches(name, exclude)]
    if not chosen:
        raise ValueError(
            f'The rule include={list(include)}, exclude={list(exclude)} must match at least one convolution of '
            f'{type(network).__name__} and matches none; its convolutions are named {_abridged(list(convs))}.'
        )
    for name in chosen:
        parent, _, child = name.rpartition('.')
        conv = convs[name]
        layer = factory(conv).to(conv.weight)
        setattr(network.get_submodule(parent), child, layer.requires_grad_(conv.weight.requires_grad))
    return chosen


def dynamic_layers(network: nn.Module) -> Iterator[tuple[str, DyConv2d]]:
    """Yields the name and layer of every dynamic convolution of a network."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, DyConv2d))


def _abridged(names: Sequence[str], limit: int = 6) -> str:
    shown = ', '.join(names[:limit]) or 'nothing: it has none'
    return shown + (f', ... ({len(names)} in all)' if len(names) > limit else '')
