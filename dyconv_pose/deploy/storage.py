"""Stores the weights of a deployed network in fewer bits; they compute in the type of the features all the same."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from .fold import DeployedConv2d

#: How weights are stored.
STORAGES = ('float32', 'float16', 'int8')


class Widened(nn.Module):
    """What a layer computes with where its weight is stored in fewer bits: the weight times a scale in full bits."""

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer('scale', scale)

    def forward(self, weight: Tensor) -> Tensor:
        """Maps the stored weight to the one that computes, in the type of the scale."""
        return weight * self.scale


def stored(weight: Tensor, storage: str, axis: int) -> tuple[Tensor, Tensor | None]:
    """A weight in one of :data:`STORAGES`, and its scale: for int8 one for each slice of the axis, else ``None``."""
    if storage != 'int8':
        return weight.to(getattr(torch, storage)), None
    others = [dim for dim in range(weight.dim()) if dim != axis]
    scale = weight.abs().amax(dim=others, keepdim=True).clamp(min=1e-12) / 127
    return (weight / scale).round().to(torch.int8), scale


def store_bank(layer: DeployedConv2d, storage: str) -> None:
    """Stores the kernels of one dynamic layer, in place; they share their scale, by which a mixture is multiplied."""
    bank, scale = stored(torch.cat(list(layer.bank)), storage, axis=1)
    parts = bank.split(len(layer.bank[0]))
    layer.bank = nn.ParameterList(nn.Parameter(part.clone(), requires_grad=False) for part in parts)
    layer.bank_scale = None if scale is None else scale[0]


@torch.no_grad()
def store_weights(model: nn.Module, storage: str) -> nn.Module:
    """Stores the weights of what :func:`~dyconv_pose.deploy.to_deploy` made in fewer bits, in place, and returns it.

    Those are the kernel banks, the static convolutions, and all linear layers of an attention but the last. Biases and
    the attention's last layers, which are few, stay. A ValueError is raised for a storage not in :data:`STORAGES`.
    """
    if storage not in STORAGES:
        raise ValueError(f'Weights must be stored in one of {", ".join(STORAGES)}, got {storage!r}.')
    chosen = []
    for module in model.modules() if storage != 'float32' else ():
        if isinstance(module, DeployedConv2d):
            store_bank(module, storage)
            chosen += [layer for layer in module.attention.modules() if isinstance(layer, nn.Linear)][:-1]
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            chosen.append(module)
    for layer in chosen:
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # that of the output channels of a group
        weight, scale = stored(layer.weight, storage, axis)
        widened = Widened(layer.weight.new_ones(1) if scale is None else scale)
        layer.weight = nn.Parameter(weight, requires_grad=False)
        register_parametrization(layer, 'weight', widened, unsafe=True)  # which may change the type
    return model
