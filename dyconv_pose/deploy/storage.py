"""Stores the weights of a deployed network in fewer bits; they compute in the type of the features all the same.

Shape letters: K kernels, C_in and C_out channels, G groups, k kernel size.
"""

import torch
from torch import Tensor, nn

from .layers import DeployedConv2d

#: How weights are stored.
STORAGES = ('float32', 'float16', 'int8')


class Stored(nn.Module):
    """A static convolution, a transposed one or a linear layer, whose weight is stored in fewer bits.

    The source's parameters are taken away.
    """

    def __init__(self, source: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, storage: str) -> None:
        super().__init__()
        axis = 1 if isinstance(source, nn.ConvTranspose2d) else 0  # that of the output channels of a group
        (weight,), scale = stored([source.weight.detach()], storage, axis)
        self.register_buffer('weight', weight)
        self.register_buffer('scale', scale)
        self.register_buffer('bias', None if source.bias is None else source.bias.detach())
        source.weight = source.bias = None
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        """Maps the source's inputs to its outputs."""
        weight = self.weight.to(x.dtype) if self.scale is None else self.weight.to(x.dtype) * self.scale
        return torch.func.functional_call(self.source, {'weight': weight, 'bias': self.bias}, (x,))


def stored(tensors: list[Tensor], storage: str, axis: int) -> tuple[list[Tensor], Tensor | None]:
    """Tensors of one shape in one of :data:`STORAGES`, and by what they are to be multiplied, or ``None``.

    For int8 each slice of the axis has a scale, which the tensors share, so that a mixture of them can be scaled.
    """
    if storage != 'int8':
        return [tensor.to(getattr(torch, storage)) for tensor in tensors], None
    others = [dim for dim in range(tensors[0].dim()) if dim != axis]
    largest = torch.stack([tensor.abs().amax(dim=others, keepdim=True) for tensor in tensors]).amax(dim=0)
    scale = largest.clamp(min=1e-12) / 127
    return [(tensor / scale).round().to(torch.int8) for tensor in tensors], scale


def store_bank(layer: DeployedConv2d, storage: str) -> None:
    """Stores the kernels of one dynamic layer, in place."""
    parts, scale = stored(list(layer.bank), storage, axis=1)
    layer.bank = nn.ParameterList(nn.Parameter(part, requires_grad=False) for part in parts)
    layer.bank_scale = None if scale is None else scale[0]


@torch.no_grad()
def store_weights(model: nn.Module, storage: str) -> nn.Module:
    """Stores the weights of what :func:`~dyconv_pose.deploy.to_deploy` made in fewer bits, in place, and returns it.

    Those are the kernel banks, the static convolutions, and all linear layers of an attention but the last. Biases and
    the attention's last layers, which are few, stay. A ValueError is raised for a storage not in :data:`STORAGES`.
    """
    if storage not in STORAGES:
        raise ValueError(f'Weights must be stored in one of {", ".join(STORAGES)}, got {storage!r}.')
    if storage == 'float32':
        return model
    chosen = []
    for name, module in model.named_modules():
        if isinstance(module, DeployedConv2d):
            store_bank(module, storage)
            linear = [f'{name}.{part}' for part, layer in module.named_modules() if isinstance(layer, nn.Linear)]
            chosen += linear[:-1]
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            chosen.append(name)
    for name in chosen:
        parent, _, child = name.rpartition('.')
        setattr(model.get_submodule(parent), child, Stored(model.get_submodule(name), storage))
    return model
