"""Dynamic convolution: attention over convolution kernels (Chen et al., CVPR 2020), the paper in one file.

A dynamic layer holds K parallel kernels. For every sample it mixes them into one kernel with attention weights
computed from the sample itself, and convolves the sample with the mixture (section 3 of the paper)::

    pi(x)  = softmax(FC(ReLU(FC(average pool(x)))) / tau)       K numbers, non-negative, with sum one
    W(x)   = sum_k pi_k(x) W_k          b(x) = sum_k pi_k(x) b_k
    y      = W(x) * x + b(x)            one ordinary convolution

:class:`KernelAttention` is the first line, and :func:`~dyconv_pose.layers.execution.convolve_mixture` the other two, in
the way that is quickest for the batch at hand; :class:`DyConv2d` holds the kernels and joins them.

Shape letters: B batch, K kernels, C_in and C_out channels, G groups, H and W height and width.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

from .execution import convolve_mixture
from .geometry import Geometry
from .same_padding import pad_same

_PADDING_MODES = ('zeros', 'reflect', 'replicate', 'circular')


class KernelAttention(nn.Module):
    """Attention over K kernels: squeeze-and-excitation with a softmax (section 3.2 of the paper).

    The temperature tau flattens the softmax. Nearly uniform attention early in training lets all K kernels learn
    (section 3.3). It is a buffer, so that a checkpoint carries it, and a schedule may change it at any time.

    Args:
        in_channels: C_in.
        num_kernels: K.
        reduction: C_in divided by the width of the hidden layer.
        temperature: tau.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        in_channels: int,
        num_kernels: int = 4,
        reduction: int = 4,
        temperature: float = 30.0,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_kernels < 1:
            raise ValueError(f'num_kernels must be at least 1, got {num_kernels}: the paper uses 4.')
        if reduction < 1:
            raise ValueError(f'reduction must be at least 1, got {reduction}: the paper uses 4.')
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, got {temperature}: the paper uses 30.')
        self.squeeze = nn.Linear(in_channels, max(in_channels // reduction, 1), device=device, dtype=dtype)
        self.excite = nn.Linear(self.squeeze.out_features, num_kernels, device=device, dtype=dtype)
        self.register_buffer('temperature', torch.tensor(float(temperature), device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, C_in, H, W) to attention weights (B, K), in float32 under autocast."""
        # As a sum: the gradient of a mean would be written out in the size of x before it is added. Float16 can't hold
        # the sum.
        pooled = (
            x.mean(dim=(2, 3)) if x.dtype == torch.float16 else x.sum(dim=(2, 3)) / x.shape[2:].numel()
        )  # (B, C_in)
        logits = self.excite(F.relu(self.squeeze(pooled)))  # (B, K)
        # At least in float32: a small tau would carry float16 logits beyond their range.
        return torch.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)) / self.temperature, dim=1)


class DyConv2d(nn.Module):
    """A 2-D convolution whose kernel is a per-sample mixture of K kernels; a drop-in for :class:`torch.nn.Conv2d`.

    It takes ``nn.Conv2d``'s arguments in ``nn.Conv2d``'s order, three of its own, and ``device`` and ``dtype`` by name.
    With K = 1 it computes what ``nn.Conv2d`` computes.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: Height and width of the kernels, or one number for both.
        stride: Step of the convolution.
        padding: Rows and columns added on each side, or ``'same'``, at any stride as in TensorFlow, or ``'valid'``.
        dilation: Spacing of the kernel's elements.
        groups: G, blocked connections from input to output channels.
        bias: Whether each kernel has a bias.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
        num_kernels: K.
        reduction: C_in over the attention's hidden width.
        temperature: tau, at which training starts.
        device: Of the parameters.
        dtype: Of the parameters.

    Attributes:
        weight: The kernel bank, (K, C_out, C_in / G, kernel height, kernel width).
        bias: (K, C_out), or ``None``.
        attention: The :class:`KernelAttention` that maps x to pi.

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
        reduction: int = 4,
        temperature: float = 30.0,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
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
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = _pair(kernel_size), _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        self.padding_mode = padding_mode
        self.num_kernels = num_kernels
        where = dict(device=device, dtype=dtype)
        attention = KernelAttention(in_channels, num_kernels, reduction, temperature, **where)
        bank = (num_kernels, out_channels, in_channels // groups, *self.kernel_size)
        self.weight = nn.Parameter(torch.empty(bank, **where))
        self.bias = nn.Parameter(torch.empty(num_kernels, out_channels, **where)) if bias else None
        self.attention = attention
        self.init_weights()

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
        attention = self.attention(x)  # (B, K)
        x, padding = self._pad(x)
        geometry = Geometry(self.weight.shape[1:], self.stride, padding, self.dilation, self.groups)
        return convolve_mixture(x, attention, self.weight, self.bias, geometry)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """As any module, with the bank shown flat: ``to(memory_format=channels_last)`` would refuse five dimensions."""

        def apply(tensor: Tensor) -> Tensor:
            return fn(tensor.flatten(1)).unflatten(1, tensor.shape[1:]) if tensor.dim() == 5 else fn(tensor)

        return super()._apply(apply, recurse)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        """Loads this layer's state; of a static convolution, K copies of its kernel, the attention staying as it is.

        Since attention weights sum to one, the layer then computes what the static convolution did (a warm start).

        Raises:
            ValueError: The state is that of a layer with another K.
        """
        weight = state_dict.get(prefix + 'weight')
        if weight is not None and weight.dim() == 5 and len(weight) != self.num_kernels:
            raise ValueError(
                f'The number of kernels K must be that of the checkpoint: {prefix[:-1] or "this layer"} has '
                f'K={self.num_kernels} and the checkpoint K={len(weight)}: set num_kernels={len(weight)} in conv_cfg, '
                'or start from a static checkpoint, which fits every K.'
            )
        if weight is not None and weight.dim() == 4:
            for key in (prefix + 'weight', prefix + 'bias'):
                if key in state_dict:
                    state_dict[key] = torch.stack([state_dict[key]] * self.num_kernels)
            state_dict.update(self.attention.state_dict(prefix=prefix + 'attention.'))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _pad(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pads x by hand where the convolution can't, and returns what padding is left for the convolution."""
        if self.padding == 'valid':
            return x, (0, 0)
        mode = 'constant' if self.padding_mode == 'zeros' else self.padding_mode
        if self.padding == 'same':
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            if self.padding_mode == 'zeros' and self.stride == (1, 1) and not any(total % 2 for total in totals):
                return x, (totals[0] // 2, totals[1] // 2)
            return pad_same(x, self.kernel_size, self.stride, self.dilation, mode), (0, 0)
        if self.padding_mode == 'zeros':
            return x, self.padding
        return F.pad(x, (self.padding[1],) * 2 + (self.padding[0],) * 2, mode=mode), (0, 0)

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows."""
        parts = [f'{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}']
        if self.padding not in ((0, 0), 'valid'):
            parts.append(f'padding={self.padding!r}')
        if self.dilation != (1, 1):
            parts.append(f'dilation={self.dilation}')
        if self.groups != 1:
            parts.append(f'groups={self.groups}')
        if self.bias is None:
            parts.append('bias=False')
        if self.padding_mode != 'zeros':
            parts.append(f'padding_mode={self.padding_mode!r}')
        return ', '.join([*parts, f'num_kernels={self.num_kernels}'])
