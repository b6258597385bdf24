"""Stores the weights of a deployed network in fewer bits; they compute in the type of the features all the same.

Shape letters: K kernels, C_in and C_out channels, G groups, k kernel size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import DeployedDyConv2d

#: How weights are stored.
STORAGES = ('float32', 'float16', 'int8')


class StoredConv(nn.Module):
    """A static convolution, or a transposed one, whose kernel is stored in fewer bits.

    Args:
        source: The convolution.
        storage: One of :data:`STORAGES`.
    """

    def __init__(self, source: nn.Conv2d | nn.ConvTranspose2d, storage: str) -> None:
        super().__init__()
        axis = 1 if isinstance(source, nn.ConvTranspose2d) else 0  # that of the output channels of a group
        (weight,), scale = stored([source.weight.detach()], storage, axis)
        self.register_buffer('weight', weight)
        self.register_buffer('scale', scale)
        self.register_buffer('bias', None if source.bias is None else source.bias.detach())
        source.weight = source.bias = None
        self.geometry = source

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W) to (B, C_out, H_out, W_out)."""
        weight, conv = self.weight.to(x.dtype), self.geometry
        weight = weight if self.scale is None else weight * self.scale
        if isinstance(conv, nn.ConvTranspose2d):
            shape = (conv.stride, conv.padding, conv.output_padding, conv.groups, conv.dilation)
            return F.conv_transpose2d(x, weight, self.bias, *shape)
        return conv._conv_forward(x, weight, self.bias)


def stored(tensors: list[Tensor], storage: str, axis: int) -> tuple[list[Tensor], Tensor | None]:
    """Tensors of one shape in one of :data:`STORAGES`.

    Args:
        tensors: They share their scale, so that a mixture of them is scaled and not each of them.
        storage: How they are stored.
        axis: For int8, each slice of this axis has a scale of its own.

    Returns:
        The tensors, and by what they are to be multiplied: of their dimensions, all 1 but that axis; or ``None``.
    """
    if storage != 'int8':
        return [tensor.to(getattr(torch, storage)) for tensor in tensors], None
    others = [dim for dim in range(tensors[0].dim()) if dim != axis]
    largest = torch.stack([tensor.abs().amax(dim=others, keepdim=True) for tensor in tensors]).amax(dim=0)
    scale = largest.clamp(min=1e-12) / 127
    return [(tensor / scale).round().to(torch.int8) for tensor in tensors], scale


@torch.no_grad()
def store_weights(model: nn.Module, storage: str, only_banks: bool = False) -> nn.Module:
    """Stores the weights of a deployed network in fewer bits, in place.

    Those are the kernel banks, the attention's first layers and the static convolutions. Biases and the attention's
    last layers, which are few, stay as they are.

    Args:
        model: What :func:`~dyconv_pose.deploy.to_deploy` returned.
        storage: One of :data:`STORAGES`. int8 has a scale for each output channel.
        only_banks: Whether the kernel banks alone are stored so.

    Returns:
        The model.

    Raises:
        ValueError: There is no such way to store.
    """
    if storage not in STORAGES:
        raise ValueError(f'Weights must be stored in one of {", ".join(STORAGES)}, got {storage!r}.')
    if storage == 'float32':
        return model
    for parent in list(model.modules()):  # before any is replaced
        if isinstance(parent, DeployedDyConv2d):
            bank, scale = stored(list(parent.bank), storage, axis=1)
            parent.bank = nn.ParameterList(nn.Parameter(part, requires_grad=False) for part in bank)
            parent.bank_scale = None if scale is None else scale[0]
            if not only_banks:
                (parent.squeeze_weight,), parent.squeeze_scale = stored([parent.squeeze_weight], storage, axis=0)
            continue
        for name, child in list(parent.named_children()):
            if isinstance(child, (nn.Conv2d, nn.ConvTranspose2d)) and not only_banks:
                parent._modules[name] = StoredConv(child, storage)
    return model
