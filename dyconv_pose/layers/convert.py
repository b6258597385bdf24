"""Makes a built network dynamic, by a rule over its convolutions; MMEngine is imported where its names are met.

With a warm start, the new layers load the static ones' weights, which ``DynamicConv2d.from_static`` makes K of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod

import torch
from torch import nn

from .base import DynamicConv2d, dynamic_layers
from .dynamic_conv import DyConv2d
from .forms import Conv2dSame

#: Kinds of convolutions: 1x1, one channel per group, all others.
KINDS = ('pointwise', 'depthwise', 'dense')


@dataclass(frozen=True)
class Conversion:
    """What :func:`make_dynamic` did; ``print`` shows it."""

    converted: tuple[str, ...]  # names of the layers that are dynamic now, in network order
    left: dict[str, str]  # for each convolution that stayed static, by name, the reason

    def __str__(self) -> str:
        """A line for what was converted, and one for each reason to leave something."""
        lines = [f'{len(self.converted)} dynamic: {_abridged(self.converted)}']
        for reason in dict.fromkeys(self.left.values()):
            names = [name for name, why in self.left.items() if why == reason]
            lines.append(f'{len(names)} static, {reason}: {_abridged(names)}')
        return '\n'.join(lines)


def make_dynamic(
    network: nn.Module,
    layer: type[DynamicConv2d] | str | Mapping = DyConv2d,
    *,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
    warm_start: bool = False,
    noise: float = 0.0,
    **arguments: object,
) -> Conversion:
    """Makes the convolutions of any network dynamic, in place.

    By default all but the first, as in the paper. Other layers keep their names and parameters. Without a warm start,
    kernels are drawn as the network's ``init_cfg`` draws static ones (an ``override`` in it is not followed), or where
    it has none, by the layer's ``init_weights``.

    Args:
        network: The network, changed in place.
        layer: A class, the name by which MMEngine's registry has it, or a ``conv_cfg`` with its ``type`` and arguments.
        include: Shell-style patterns over the names of what is converted, the first too, such as ``'layer3.*'``.
        exclude: Patterns that win over ``include``.
        kinds: Which of :data:`KINDS` may be converted.
        warm_start: Whether every new layer computes what its static one did.
        noise: Of a warm start, as in :meth:`DynamicConv2d.add_noise`, such as 0.01.
        **arguments: The layer's own, such as ``num_kernels=4``.

    Returns:
        What was converted, and what was left and why.

    Raises:
        ValueError: The rule matches no convolution, or an argument is out of its range.
        KeyError: The name is not registered.
    """
    if noise and not warm_start:
        raise ValueError(f'noise belongs to a warm start, got noise={noise}: set warm_start=True.')
    if isinstance(layer, Mapping):
        arguments, layer = {name: value for name, value in layer.items() if name != 'type'} | arguments, layer['type']
    layer = _registered(layer) if isinstance(layer, str) else layer
    reasons = _reasons(network, layer, include, exclude, kinds)
    converted = tuple(name for name, reason in reasons.items() if not reason)
    made: dict[nn.Conv2d, DynamicConv2d] = {}
    for conv in map(network.get_submodule, converted):  # all are made before one is replaced: any may be refused
        if conv in made:
            continue  # a shared one becomes a shared layer
        options = {name: getattr(conv, name) for name in ('stride', 'dilation', 'groups', 'padding_mode')}
        options |= dict(padding=_padding_of(conv), bias=conv.bias is not None)
        new = layer(conv.in_channels, conv.out_channels, conv.kernel_size, **options, **arguments).to(conv.weight)
        made[conv] = new.requires_grad_(conv.weight.requires_grad).train(conv.training)
    layers = {name: made[network.get_submodule(name)] for name in converted}
    if warm_start:
        layer.connect(layers)
        for conv, new in made.items():
            new.load_state_dict(conv.state_dict())
            new.add_noise(noise)
    for name, new in layers.items():
        parent, _, child = name.rpartition('.')
        setattr(network.get_submodule(parent), child, new)
    if not warm_start:
        _initialize(network)
        layer.connect(layers)
    return Conversion(converted, {name: reason for name, reason in reasons.items() if reason})


def kind_of(conv: nn.Conv2d) -> str:
    """Which of :data:`KINDS` a convolution is."""
    if tuple(conv.kernel_size) == (1, 1):
        return 'pointwise'
    return 'depthwise' if conv.groups == conv.in_channels > 1 else 'dense'


def _registered(name: str) -> type[DynamicConv2d]:
    from mmengine.registry import MODELS

    with MODELS.switch_scope_and_registry(None) as registry:
        found = registry.get(name)
    if found is None:
        raise KeyError(f'The layer must be registered in MMEngine, got "{name}": import dyconv_pose.registration.')
    return found


def _reasons(
    network: nn.Module,
    layer: type[DynamicConv2d],
    include: Sequence[str] | None,
    exclude: Sequence[str],
    kinds: Sequence[str],
) -> dict[str, str]:
    """For each convolution of a network, by name, why a rule leaves it static; empty where it is to be converted."""

    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    def reason(name: str, conv: nn.Conv2d) -> str:
        if matches(name, exclude):
            return 'excluded'
        if include is None and name == names[0]:
            return 'the first convolution'
        if include is not None and not matches(name, include):
            return 'not included'
        if kind_of(conv) not in kinds:
            return f'not {" or ".join(kinds)}'
        return layer.misfit(conv) if _padding_of(conv) is not None else f'{type(conv).__name__} is no plain convolution'

    for rule in (include, exclude, kinds):
        if isinstance(rule, str):
            raise ValueError(f'include, exclude and kinds must be lists of strings, got {rule!r}: write [{rule!r}].')
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f'kinds must be out of {list(KINDS)}, got {unknown}.')
    modules = network.named_modules(remove_duplicate=False)
    convs = {name: module for name, module in modules if isinstance(module, nn.Conv2d) and name}
    names = list(convs)
    reasons = {name: reason(name, conv) for name, conv in convs.items()}
    idle = [one for one in (*(include or ()), *exclude) if not any(matches(name, [one]) for name in names)]
    if idle or all(reasons.values()):
        rule = f'include={include and list(include)}, exclude={list(exclude)}, kinds={list(kinds)}'
        first = f' ({names[0]} is left as the first)' if names and include is None else ''
        raise ValueError(
            f'The rule {rule} must match at least one convolution of {type(network).__name__}, and '
            f'{idle or "the whole of it"} matches none; its convolutions are named {_abridged(names)}{first}.'
        )
    return reasons


@torch.no_grad()
def _padding_of(conv: nn.Conv2d) -> tuple[int, int] | str | None:
    """The padding of a convolution; ``None`` for a subclass that does more than convolve with its kernel."""
    if 'weight' not in conv._parameters or nn.parameter.is_lazy(conv.weight):
        return None  # the kernel is computed from other parameters, or not there yet
    if type(conv) in (nn.Conv2d, Conv2dSame):
        return conv.padding
    possible = {} if conv.weight.is_meta else {conv.padding: nn.Conv2d.forward, 'same': Conv2dSame.forward}
    for more in (0, 1):  # what it computes is seen by running it, at two sizes, of which SAME shares one unevenly
        each = zip(conv.stride, conv.dilation, conv.kernel_size, strict=True)
        shape = conv.in_channels, *(step * (gap * (k - 1) + 3) + more for step, gap, k in each)
        x = torch.linspace(-9, 9, prod(shape)).sin().view(1, *shape).to(conv.weight)
        for padding, forward in list(possible.items()):
            expected, y = forward(conv, x), conv.forward(x)
            if expected.shape != y.shape or (y - expected).abs().max() > 1e-4 * expected.abs().max():
                del possible[padding]
    return next(iter(possible), None)


def _abridged(names: Sequence[str], limit: int = 6) -> str:
    shown = ', '.join(names[:limit]) or 'nothing: it has none'
    return shown + (f', ... ({len(names)} in all)' if len(names) > limit else '')


def _initialize(network: nn.Module) -> None:
    """Applies the initialisers of the ``init_cfg`` of a network and its parts to each kernel of each dynamic layer."""
    for part in network.modules():  # the inner part comes last, as in MMEngine
        init_cfg = getattr(part, 'init_cfg', None) or []
        for cfg in [init_cfg] if isinstance(init_cfg, dict) else init_cfg:
            for _, layer in dynamic_layers(part) if 'Conv2d' in cfg.get('layer', ()) else ():
                _initialize_layer(layer, {key: value for key, value in cfg.items() if key != 'override'})


def _initialize_layer(layer: DynamicConv2d, cfg: dict) -> None:
    """Shows each kernel to MMEngine's initialiser as the ``nn.Conv2d`` that it would be: it goes by class and shape."""
    from mmengine.model import initialize

    for index, kernel in enumerate(layer.weight):
        conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups, bias=False)
        conv.weight.data = kernel.data
        if layer.bias is not None:
            conv.bias = nn.Parameter(layer.bias.data[index])
        initialize(conv, cfg)
    layer.is_init = True  # where MMEngine meets the layer, it is to leave it so
