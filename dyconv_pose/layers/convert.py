"""Makes a built network dynamic, by a rule over its convolutions, and carries a static network's weights over.

Where a static checkpoint is loaded into a dynamic network, :class:`DyConv2d` itself makes K copies of each kernel:
attention weights sum to one, so the network computes exactly what the static one did, whatever its attention says.
:func:`warm_start_state` does the same on state dicts, and can make the copies differ.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from .dynamic_conv import DyConv2d
from .same_padding import Conv2dSame

#: Kinds of convolutions: 1x1; one channel per group; all others.
KINDS = ('pointwise', 'depthwise', 'dense')


def kind_of(conv: nn.Conv2d) -> str:
    """Which of :data:`KINDS` a convolution is."""
    if tuple(conv.kernel_size) == (1, 1):
        return 'pointwise'
    return 'depthwise' if conv.groups == conv.in_channels > 1 else 'dense'


def convert_convs(
    network: nn.Module,
    factory: Callable[[nn.Conv2d], nn.Module],
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
) -> list[str]:
    """Replaces, in place, every ``nn.Conv2d`` of a network that the rule names.

    All other layers keep their names and parameters, so their checkpoint keys stay as they are.

    Args:
        network: The network, changed in place.
        factory: Makes the new layer from the old one.
        include: Shell-style patterns over qualified layer names, such as ``'layer3.*'``: a convolution is converted
            where one of them matches.
        exclude: Patterns that win over ``include``.
        kinds: Kinds of convolutions that may be converted, out of :data:`KINDS`.

    Returns:
        The names of the converted layers, in network order; one that has several is the same layer under each.

    Raises:
        ValueError: No convolution matches the rule or one of the patterns, or a kind is unknown.
    """

    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    for rule in (include, exclude, kinds):
        if isinstance(rule, str):
            raise ValueError(f'include, exclude and kinds must be lists of strings, got {rule!r}: write [{rule!r}].')
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f'kinds must be out of {list(KINDS)}, got {unknown}.')
    modules = network.named_modules(remove_duplicate=False)
    convs = {name: module for name, module in modules if type(module) in (nn.Conv2d, Conv2dSame)}
    chosen = [
        name
        for name, conv in convs.items()
        if matches(name, include) and not matches(name, exclude) and kind_of(conv) in kinds
    ]
    rule = f'include={list(include)}, exclude={list(exclude)}, kinds={list(kinds)}'
    idle = [pattern for pattern in (*include, *exclude) if not any(matches(name, [pattern]) for name in convs)]
    if idle or not chosen:
        raise ValueError(
            f'The rule {rule} must match at least one convolution of {type(network).__name__}, and '
            f'{idle or "the whole of it"} matches none; its convolutions are named {_abridged(list(convs))}.'
        )
    made: dict[nn.Conv2d, nn.Module] = {}
    for name in chosen:
        parent, _, child = name.rpartition('.')
        conv = convs[name]
        if conv not in made:
            made[conv] = factory(conv).to(conv.weight).requires_grad_(conv.weight.requires_grad)
        setattr(network.get_submodule(parent), child, made[conv])
    return chosen


def dynamic_layers(network: nn.Module) -> Iterator[tuple[str, DyConv2d]]:
    """Yields the name and layer of every dynamic convolution of a network."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, DyConv2d))


def warm_start_state(
    static_state: Mapping[str, Tensor],
    network: nn.Module,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Turns the weights of a static network into weights for its dynamic twin.

    K equal kernels receive equal gradients but for their attention weights, which are nearly equal while tau is
    large. Noise parts them from the start. It is centred over the K kernels, so their mean stays the static kernel.

    Args:
        static_state: State dict of the static network.
        network: The dynamic network that the result is for; left as it is.
        noise: Standard deviation of the noise, as a share of that of each static kernel; 0 for none.
        generator: Source of the noise.

    Returns:
        A state dict with K kernels (K, C_out, C_in / G, k, k) for each static one, and the attention that ``network``
        has; all other entries are those of ``static_state``.

    Raises:
        ValueError: ``noise`` is negative, or the static state has a kernel for none of the dynamic layers.
    """
    if not noise >= 0:
        raise ValueError(f'noise must not be negative, got {noise}.')
    state, found = dict(static_state), False
    for name, layer in dynamic_layers(network):
        weight = state.get(f'{name}.weight')
        if weight is None or weight.dim() != 4:
            continue
        found = True
        bank = torch.stack([weight] * layer.num_kernels)
        if noise:
            drawn = torch.randn(bank.shape, generator=generator, dtype=bank.dtype)
            centred = (drawn - drawn.mean(dim=0)) * (len(drawn) / max(len(drawn) - 1, 1)) ** 0.5
            bank += noise * weight.std(correction=0) * centred
        state[f'{name}.weight'] = bank
        if (bias := state.get(f'{name}.bias')) is not None:
            state[f'{name}.bias'] = torch.stack([bias] * layer.num_kernels)
        state.update(layer.attention.state_dict(prefix=f'{name}.attention.'))
    if not found:
        raise ValueError(
            'A warm start needs the static twin of the dynamic network, and these weights have a static kernel for '
            f'none of its dynamic layers, which are named {_abridged([name for name, _ in dynamic_layers(network)])}.'
        )
    return state


def _abridged(names: Sequence[str], limit: int = 6) -> str:
    shown = ', '.join(names[:limit]) or 'nothing: it has none'
    return shown + (f', ... ({len(names)} in all)' if len(names) > limit else '')
