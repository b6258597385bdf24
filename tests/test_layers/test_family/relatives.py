"""The relatives of DyConv2d with what they are tested on."""

import pytest
import torch
from torch import nn

from dyconv_pose.layers import CondConv2d, DCDConv2d, DyConv2d, KernelWarehouse2d, ODConv2d, make_dynamic

GEOMETRIES = [
    dict(kernel_size=1),
    dict(kernel_size=1, stride=2, bias=False),
    dict(kernel_size=3, padding=1),
    dict(kernel_size=5, padding=2, stride=2, bias=False),
    dict(kernel_size=3, stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    dict(kernel_size=(3, 5), padding='same'),
    dict(kernel_size=3, padding=(1, 2), padding_mode='reflect', stride=2),
    dict(kernel_size=3, padding=1, groups=2),
    dict(kernel_size=3, padding=1, groups=6, out_channels=6),
    dict(kernel_size=(2, 4), padding='same', padding_mode='circular'),
]
OPERATORS = [
    (ODConv2d, {}),
    (ODConv2d, dict(num_kernels=1)),
    (DCDConv2d, {}),
    (KernelWarehouse2d, {}),
    (KernelWarehouse2d, dict(budget=2, temperature=0.25)),
    (KernelWarehouse2d, dict(budget=0.5, temperature=0.0)),
]
#: All operators, for what is tested in networks.
FAMILY = [(DyConv2d, {}), (CondConv2d, {}), *OPERATORS]


def fits(kind, geometry) -> bool:
    return kind is not DCDConv2d or (geometry.get('groups', 1) == 1 and geometry['kernel_size'] != (2, 4))


CASES = [
    pytest.param(kind, geometry, options, id=f'{kind.__name__}-{geometry}-{options}')
    for kind, options in OPERATORS
    for geometry in GEOMETRIES
    if fits(kind, geometry)
]
TYPICAL = [case for case in CASES if case.values[1] in (GEOMETRIES[0], GEOMETRIES[2], GEOMETRIES[8])]


def conv_of(geometry) -> nn.Conv2d:
    return nn.Conv2d(**{'in_channels': 6, 'out_channels': 4} | geometry).double()


def make(kind, geometry, options, std=0.5) -> nn.Module:
    """A layer in double precision and evaluation mode that differs from sample to sample."""
    torch.manual_seed(0)
    network = nn.Sequential(conv_of(geometry))
    make_dynamic(network, kind, include=['*'], **options)
    layer = network[0]
    for name, value in layer.state_dict().items():
        if 'running_var' in name:
            value.uniform_(0.5, 2)
        elif value.is_floating_point() and not name.endswith('temperature'):
            value.normal_(std=std)
    return layer.eval()


def inputs(batch=3) -> torch.Tensor:
    return torch.randn(batch, 6, 8, 7, dtype=torch.float64) + torch.randn(batch, 6, 1, 1, dtype=torch.float64)


class Block(nn.Module):
    """A small network of what mobile networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 8, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, 2, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer1(x)


def make_network(kind, options) -> nn.Module:
    """A trained network: weights, running statistics and attention are those of a few steps, and tau is another."""
    torch.manual_seed(0)
    network = Block()
    make_dynamic(network, kind, **(options if kind in (CondConv2d, DCDConv2d) else {'temperature': 0.5} | options))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        loss = (network(torch.randn(4, 3, 16, 12) + torch.randn(4, 3, 1, 1)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
        optimizer.step()
    for name, parameter in network.named_parameters():  # far from a start, where all samples are alike
        if 'attention' in name:
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return network.eval()
