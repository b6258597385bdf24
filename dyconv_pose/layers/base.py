"""The contract of dynamic convolutions: what every operator shares, and what each one says for itself.

Whatever deals with dynamic layers from outside (conversion, warm start, temperature, attention log, costs, export)
knows :class:`DynamicConv2d` alone.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

from collections.abc import Callable, Iterator, Mapping
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.utils import _pair

from .forms import Geometry
from .same_padding import pad_same

_PADDING_MODES = ('zeros', 'reflect', 'replicate', 'circular')


class DynamicConv2d(nn.Module):
    """A 2-D convolution whose kernel is made for each sample from a bank of K kernels; the base class of operators.

    An operator defines :meth:`build_attention`, :meth:`aggregate` and :meth:`convolve`. Subclasses of
    :class:`~dyconv_pose.layers.DyConv2d`, which defines all three, replace one of them.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode: Those of
            ``nn.Conv2d``, in its order. ``padding='same'`` works at any stride, as in TensorFlow.
        num_kernels: K.
        *arguments, **keywords: Those of :meth:`build_attention`.
        device, dtype: Of the parameters.

    Attributes:
        weight: The kernel bank, (K, C_out, C_in / G, k, k).
        bias: (K, C_out), or ``None``.
        attention: The module that maps x (B, C_in, H, W) to attention weights (B, K), or to what else
            :meth:`convolve` takes.

    Raises:
        ValueError: An argument is out of its range.
    """

    # Read by MMCV's ConvModule, as of any convolution.
    transposed = False
    output_padding = (0, 0)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = 'zeros',
        num_kernels: int = 4,
        *arguments: object,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **keywords: object,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f'groups must divide in_channels and out_channels, got groups={groups}, in_channels={in_channels}, '
                f'out_channels={out_channels}: choose a common divisor.'
            )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f'padding_mode must be one of {_PADDING_MODES}, got {padding_mode!r}.')
        if isinstance(padding, str) and padding not in ('same', 'valid'):
            raise ValueError(f"padding must be a number, a pair, 'same' or 'valid', got {padding!r}.")
        if num_kernels < 1:
            raise ValueError(f'num_kernels must be at least 1, got {num_kernels}: the paper uses 4.')
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        self.padding_mode, self.num_kernels = padding_mode, num_kernels
        where = dict(device=device, dtype=dtype)
        attention = self.build_attention(*arguments, **keywords, **where)
        bank = (num_kernels, out_channels, in_channels // groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(bank, **where))
        self.bias = nn.Parameter(torch.empty(num_kernels, out_channels, **where)) if bias else None
        self.attention = attention
        self.init_weights()

    def build_attention(self, *, device: torch.device | str | None, dtype: torch.dtype | None) -> nn.Module:
        """Makes :attr:`attention`, from arguments that the operator adds; one called ``temperature`` is a buffer."""
        raise NotImplementedError

    def aggregate(self, attention: Tensor, bank: Tensor) -> Tensor:
        """Makes each sample's kernel, or bias, (B, ...) from attention weights (B, K) and a bank (K, ...)."""
        raise NotImplementedError

    def kernels(self, attention: Tensor) -> tuple[Tensor, Tensor | None]:
        """Makes each sample's whole kernel (B, C_out, C_in / G, k, k), and bias (B, C_out) or ``None``."""
        weight, bias = self.aggregate(attention, self.weight), self.bias
        return weight, bias if bias is None else self.aggregate(attention, bias)

    def convolve(self, x: Tensor, attention: Tensor, geometry: Geometry) -> Tensor:
        """Maps features (B, C_in, H, W), padded by hand where need be, to (B, C_out, H_out, W_out)."""
        raise NotImplementedError

    @classmethod
    def misfit(cls, conv: nn.Conv2d) -> str:
        """Why this operator cannot replace a convolution, which conversion then leaves static; empty where it can."""
        return ''

    @classmethod
    def connect(cls, layers: Mapping[str, 'DynamicConv2d']) -> None:
        """Called by conversion with all layers that it made, by their names, for operators whose layers share parts."""

    @property
    def is_mixture(self) -> bool:
        """Whether the kernels are ``sum_k attention[b, k] * weight[k]`` and all else is a convolution with them.

        Folding and the deployed forms rest on it. An operator for which it does not hold is deployed as it is.
        """
        return False

    @property
    def temperature(self) -> Tensor | None:
        """The attention's tau, a buffer that a schedule may fill; ``None`` where it has none."""
        return getattr(self.attention, 'temperature', None)

    @staticmethod
    def check_temperature(temperature: float) -> None:
        """Raises ValueError for a temperature that the operator does not take; by default it takes positive ones."""
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, got {temperature}: the paper uses 30.')

    @property
    def kernel_attention(self) -> nn.Module | None:
        """The module that returns attention weights (B, K) over kernels, for logs; ``None`` where there are none."""
        return self.attention

    def folded(self, scale: Tensor, shift: Tensor) -> 'DynamicConv2d | None':
        """A copy that computes ``scale * y + shift``, (C_out,) each, if the layer is no mixture; by default none."""

    def init_weights(self) -> None:
        """Draws each of the K kernels as MMCV draws a static one: Kaiming normal over the fan-out, biases zero.

        The fans are those of one kernel: initialising the five-dimensional bank at once would misread them.
        """
        for kernel in self.weight:
            nn.init.kaiming_normal_(kernel.data, mode='fan_out', nonlinearity='relu')
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W), or one sample (C_in, H, W), to (B, C_out, H_out, W_out) as ``nn.Conv2d`` does."""
        if x.dim() == 3:
            return self(x.unsqueeze(0)).squeeze(0)
        attention = self.attention(x)  # over the image, not its padding
        x, geometry = self.padded(x)
        return self.convolve(x, attention, geometry)

    def padded(self, x: Tensor) -> tuple[Tensor, Geometry]:
        """Pads x by hand where the convolution can't, and returns the convolution that is left."""
        mode = 'constant' if self.padding_mode == 'zeros' else self.padding_mode
        padding = (0, 0) if self.padding == 'valid' else self.padding
        if padding == 'same':
            totals = [gap * (k - 1) for gap, k in zip(self.dilation, self.kernel_size, strict=True)]
            if self.stride == (1, 1) and not any(total % 2 for total in totals):
                padding = totals[0] // 2, totals[1] // 2
            else:
                x, padding = pad_same(x, self.kernel_size, self.stride, self.dilation, mode), (0, 0)
        if mode != 'constant' and any(padding):
            x, padding = F.pad(x, (padding[1], padding[1], padding[0], padding[0]), mode=mode), (0, 0)
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        return x, Geometry(shape, self.stride, padding, self.dilation, self.groups)

    def start_attention(self) -> dict[str, Tensor]:
        """The attention's state at a warm start; by default as it is."""
        return self.attention.state_dict()

    def from_static(
        self, weight: Tensor, bias: Tensor | None = None, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """The state in which this layer computes what a static convolution does (a warm start).

        It holds K copies of the static kernel, divided by what the attention weights add up to. Equal kernels receive
        equal gradients but for their attention weights; noise parts them from the start.

        Args:
            weight: The static kernel (C_out, C_in / G, k, k).
            bias: (C_out,) or ``None``.
            noise: Standard deviation of what is added to each kernel, as a share of that of the static one; centred
                over the K kernels, so that their mean stays the static kernel.
            generator: Source of the noise.

        Returns:
            ``weight``, ``bias`` where it is given, and the state of the attention.

        Raises:
            ValueError: The noise is negative, or this operator would compute something else.
        """
        if not noise >= 0:
            raise ValueError(f'noise must not be negative, got {noise}: 0.01 is a hundredth of a kernel.')
        state, static = self.start_attention(), {'weight': weight} if bias is None else {'weight': weight, 'bias': bias}
        found = {name: torch.stack([tensor] * self.num_kernels) for name, tensor in static.items()}
        found |= {f'attention.{name}': value for name, value in state.items()}
        fits = weight.shape == self.weight.shape[1:] and (bias is None) == (self.bias is None)
        if fits and not self.weight.is_meta and all(tensor.isfinite().all() for tensor in static.values()):
            self._make_exact(found, static)
        if noise:
            bank = found['weight']
            drawn = torch.randn(bank.shape, generator=generator, dtype=bank.dtype)
            centred = (drawn - drawn.mean(dim=0)) * (len(drawn) / max(len(drawn) - 1, 1)) ** 0.5
            found['weight'] = bank + noise * bank[0].std(correction=0) * centred
        return found

    @torch.no_grad()
    def _make_exact(self, found: dict[str, Tensor], static: dict[str, Tensor]) -> None:
        """Divides copies by what the operator multiplies them with, and compares the layer with the convolution."""
        where = dict(device=self.weight.device, dtype=torch.promote_types(self.weight.dtype, torch.float32))
        pads = (0, 0) if isinstance(self.padding, str) else self.padding
        size = (gap * (k - 1) + 1 + pad for gap, k, pad in zip(self.dilation, self.kernel_size, pads, strict=True))
        shape = 2, self.in_channels, *size
        x = torch.linspace(-40, 40, prod(shape), **where).sin().view(shape)  # two inputs that nothing was drawn for
        state = {name: value.to(**where, copy='.' in name) for name, value in found.items()}  # statistics may change
        attention = {name: state[f'attention.{name}'] for name in self.attention.state_dict()}
        pi = functional_call(self.attention, attention, x)[:1]
        for name, tensor in static.items():
            mixed = self.aggregate(pi, state[name])[0].double()
            share = float((mixed * tensor.to(mixed)).sum() / tensor.to(mixed).square().sum().clamp(min=1e-300))
            if share and abs(share - 1) > 1e-6:
                found[name], state[name] = found[name] / share, state[name] / share
        padded, g = DynamicConv2d.padded(self, x)
        weight, bias = (None if static.get(name) is None else static[name].to(**where) for name in ('weight', 'bias'))
        expected = F.conv2d(padded, weight, bias, g.stride, g.padding, g.dilation, g.groups)
        difference = (functional_call(self, state, x) - expected).abs().max()
        if not difference <= torch.finfo(x.dtype).eps ** 0.5 * expected.abs().max():
            raise ValueError(
                'A warm start needs an operator that makes the static kernel of its copies, and what '
                f'{type(self).__name__} makes of them is another: train it from scratch, or define start_attention().'
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """As any module, with the bank shown flat: ``to(memory_format=channels_last)`` would refuse five dimensions."""

        def apply(tensor: Tensor) -> Tensor:
            return fn(tensor.flatten(1)).unflatten(1, tensor.shape[1:]) if tensor.dim() == 5 else fn(tensor)

        return super()._apply(apply, recurse)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        """Loads this layer's state, or that of a static convolution; see :meth:`from_static`.

        Raises:
            ValueError: The state is that of another operator, of a layer with another K, or of a static one that this
                cannot start from.
        """
        weight = state_dict.get(prefix + 'weight')
        theirs = {name.removeprefix(prefix) for name in state_dict if name.startswith(f'{prefix}attention.')}
        if foreign := sorted(theirs - self.state_dict().keys()):
            raise ValueError(
                f'The checkpoint is of another operator than {type(self).__name__}: the attention of '
                f'{prefix[:-1] or "this layer"} has {foreign[0]} there. Set conv_cfg to what it was trained with.'
            )
        if weight is not None and weight.dim() == 5 and len(weight) != self.num_kernels:
            raise ValueError(
                f'The number of kernels K must be that of the checkpoint: {prefix[:-1] or "this layer"} has '
                f'K={self.num_kernels} and the checkpoint K={len(weight)}: set num_kernels={len(weight)} in conv_cfg, '
                'or start from a static checkpoint, which fits every K.'
            )
        if weight is not None and weight.dim() == 4:
            state = self.from_static(weight, state_dict.get(prefix + 'bias'))
            state_dict.update({prefix + name: value for name, value in state.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows."""
        parts = [f'{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}']
        defaults = dict(padding=(0, 0), dilation=(1, 1), groups=1, padding_mode='zeros')
        changed = {name: getattr(self, name) for name, value in defaults.items() if getattr(self, name) != value}
        parts += [f'{name}={value!r}' for name, value in changed.items() if value != 'valid']
        if self.bias is None:
            parts.append('bias=False')
        return ', '.join([*parts, f'num_kernels={self.num_kernels}'])


def dynamic_layers(network: nn.Module) -> Iterator[tuple[str, DynamicConv2d]]:
    """Yields the name and layer of every dynamic convolution of a network, whatever its operator."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, DynamicConv2d))
