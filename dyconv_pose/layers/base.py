"""The contract of dynamic convolutions: what every operator shares, and what each one says for itself.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width, k kernel size.
"""

from collections.abc import Callable, Iterator, Mapping
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from .forms import Geometry, padded


class DynamicConv2d(nn.Module):
    """A 2-D convolution whose kernel is made for each sample from a bank of K kernels; the base class of operators.

    An operator defines :meth:`build_attention`, :meth:`aggregate` and :meth:`convolve`, or replaces one of those of
    :class:`~dyconv_pose.layers.DyConv2d`.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode: Those of
            ``nn.Conv2d``, in its order. ``padding='same'`` works at any stride, as in TensorFlow.
        num_kernels: K.
        *arguments, **keywords: Those of :meth:`build_attention`.
        device, dtype: Of the parameters.

    Attributes:
        weight: The kernel bank, (K, C_out, C_in / G, k, k).
        bias: (K, C_out), or ``None``.
        attention: Maps x (B, C_in, H, W) to attention weights (B, K), or to what else :meth:`convolve` takes.
    """

    transposed = False  # read by MMCV's ConvModule, as of any convolution

    #: Whether kernels are ``sum_k attention[b, k] * weight[k]`` and all else a convolution; others deploy as they are.
    is_mixture = False

    #: Beginnings of the names in the layer's state that are zero at a warm start; all others stay as they are.
    zero_at_start: tuple[str, ...] = ()

    #: What the layer multiplies K copies of a static kernel with then; if ``None``, :meth:`from_static` finds out.
    start_gain: float | None = None

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
        if num_kernels < 1:
            raise ValueError(f'num_kernels must be at least 1, got {num_kernels}: the paper uses 4.')
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f'groups must divide in_channels and out_channels, got groups={groups}, in_channels={in_channels}, '
                f'out_channels={out_channels}: choose a common divisor.'
            )
        rest = 0 if padding == 'same' else padding, dilation, groups, bias, padding_mode
        static = nn.Conv2d(in_channels, out_channels, kernel_size, stride, *rest, device='meta')  # checks arguments
        for name in nn.Conv2d.__constants__:
            setattr(self, name, getattr(static, name))
        self.padding = padding if padding == 'same' else static.padding
        self.num_kernels, self.kernel_shape, where = num_kernels, static.weight.shape, dict(device=device, dtype=dtype)
        attention = self.build_attention(*arguments, **keywords, **where)
        self.weight = nn.Parameter(torch.empty(num_kernels, *self.kernel_shape, **where))
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
        """Draws each of the K kernels as MMCV draws a static one: Kaiming normal over the fan-out, biases zero."""
        for kernel in self.weight:  # the fans of the bank would be others
            nn.init.kaiming_normal_(kernel.data, mode='fan_out', nonlinearity='relu')
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W), or one sample (C_in, H, W), to (B, C_out, H_out, W_out) as ``nn.Conv2d`` does."""
        if x.dim() == 3:
            return self(x.unsqueeze(0)).squeeze(0)
        attention = self.attention(x)  # over the image, not its padding
        x, geometry = padded(self, x)
        return self.convolve(x, attention, geometry)

    @torch.no_grad()
    def from_static(self, weight: Tensor, bias: Tensor | None = None) -> dict[str, Tensor]:
        """The state in which this layer computes what a static convolution does; loading that one's state asks for it.

        It holds K copies of ``weight`` (C_out, C_in / G, k, k) and ``bias`` (C_out,), divided by :attr:`start_gain`.
        ValueError if this operator would compute something else.
        """
        static = {'weight': weight} if bias is None else {'weight': weight, 'bias': bias}
        state = {name: value for name, value in self.state_dict().items() if name not in ('weight', 'bias')}
        zeros = [name for name in state if name.startswith(self.zero_at_start)]
        state |= {name: torch.zeros_like(state[name]) for name in zeros}
        state |= {name: torch.stack([tensor] * self.num_kernels) for name, tensor in static.items()}
        if self.start_gain is not None:
            return state | {'weight': state['weight'] / self.start_gain}
        fits = weight.shape == self.kernel_shape and (bias is None) == (self.bias is None)
        if not fits or self.weight.is_meta or not all(tensor.isfinite().all() for tensor in static.values()):
            return state  # what loading it will refuse, or no numbers to compare
        where = dict(device=self.weight.device, dtype=torch.float64)
        pads = (0, 0) if isinstance(self.padding, str) else self.padding
        size = (gap * (k - 1) + 1 + pad for gap, k, pad in zip(self.dilation, self.kernel_size, pads, strict=True))
        shape = 2, self.in_channels, *size
        x = torch.linspace(-40, 40, prod(shape), **where).sin().view(shape)  # two inputs that nothing was drawn for
        seen, g = padded(self, x)
        weight, bias = weight.to(**where), None if bias is None else bias.to(**where)
        expected = F.conv2d(seen, weight, bias, g.stride, g.padding, g.dilation, g.groups)
        double = {name: value.to(**where, copy=True) for name, value in state.items()}  # statistics may change
        y = functional_call(self, double, x)
        gain = float((y * expected).sum() / expected.square().sum())
        if abs(gain - 1) > 1e-6:
            state |= {name: state[name] / gain for name in static}
            y = functional_call(self, double | {name: double[name] / gain for name in static}, x)
        if not (y - expected).abs().max() <= 1e-6 * expected.abs().max():
            raise ValueError(
                'A warm start needs an operator that makes the static kernel of its copies, and what '
                f'{type(self).__name__} makes of them is another: train it from scratch, or set zero_at_start.'
            )
        return state

    @torch.no_grad()
    def add_noise(self, noise: float) -> None:
        """Parts equal kernels, which would receive equal gradients but for their attention weights.

        The noise is a share of their standard deviation, and leaves their mean; ValueError if it is negative.
        """
        if not noise >= 0:
            raise ValueError(f'noise must not be negative, got {noise}: 0.01 is a hundredth of a kernel.')
        if noise and self.num_kernels > 1:
            drawn = torch.randn(self.weight.shape, dtype=self.weight.dtype, device=self.weight.device)
            centred = (drawn - drawn.mean(dim=0)) * (len(drawn) / (len(drawn) - 1)) ** 0.5
            self.weight += noise * self.weight[0].std(correction=0) * centred

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """As any module, with the bank shown flat: ``to(memory_format=channels_last)`` would refuse five dimensions."""

        def apply(tensor: Tensor) -> Tensor:
            return fn(tensor.flatten(1)).unflatten(1, tensor.shape[1:]) if tensor.dim() == 5 else fn(tensor)

        return super()._apply(apply, recurse)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        """Loads this layer's state, or that of a static convolution; ValueError for another operator or K."""
        weight, name = state_dict.get(prefix + 'weight'), prefix[:-1] or 'this layer'
        theirs = {key.removeprefix(prefix) for key in state_dict if key.startswith(f'{prefix}attention.')}
        if foreign := sorted(theirs - self.state_dict().keys()):
            raise ValueError(
                f'The checkpoint is of another operator than {type(self).__name__}: the attention of {name} has '
                f'{foreign[0]} there. Set conv_cfg to what it was trained with.'
            )
        if weight is not None and weight.dim() == 5 and len(weight) != self.num_kernels:
            raise ValueError(
                f'The number of kernels K must be that of the checkpoint: {name} has K={self.num_kernels} and the '
                f'checkpoint K={len(weight)}: set num_kernels={len(weight)} in conv_cfg, or start from a static '
                'checkpoint, which fits every K.'
            )
        if weight is not None and weight.dim() == 4:
            state = self.from_static(weight, state_dict.get(prefix + 'bias'))
            state_dict.update({prefix + key: value for key, value in state.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows."""
        return f'{nn.Conv2d.extra_repr(self)}, num_kernels={self.num_kernels}'


def normalised(h: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """Normalises each channel of features (B, C) or (B, C, P); raises a ValueError in training if it has one value."""
    if norm.training and h.numel() == h.shape[1]:
        raise ValueError(
            'This operator normalises over the batch within its layers and got one value for each channel: train on 2 '
            'images per batch or more, or put the network into eval mode.'
        )
    return norm(h)


def scale_and_shift(norm: _BatchNorm, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
    """What a normalisation multiplies with and then adds in evaluation, (C,) each, in its own type or ``dtype``."""
    mean, scale = norm.running_mean.to(dtype=dtype), (norm.running_var.to(dtype=dtype) + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    return scale, -mean * scale if norm.bias is None else norm.bias - mean * scale


def dynamic_layers(network: nn.Module) -> Iterator[tuple[str, DynamicConv2d]]:
    """Yields the name and layer of every dynamic convolution of a network, whatever its operator."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, DynamicConv2d))
