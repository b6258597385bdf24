"""Collapsed layers against the mean of what a layer computes with the attention of each image."""

import copy

import pytest
import torch
from torch import nn

from dyconv_pose.deploy import to_deploy, to_static
from dyconv_pose.deploy.collapse import mean_kernels
from dyconv_pose.layers import (
    CondConv2d,
    Conv2dSame,
    DCDConv2d,
    DyConv2d,
    KernelWarehouse2d,
    ODConv2d,
    dynamic_layers,
    make_dynamic,
)
from dyconv_pose.layers.forms import padded

OPERATORS = [DyConv2d, CondConv2d, ODConv2d, DCDConv2d, KernelWarehouse2d]
pytestmark = pytest.mark.filterwarnings('ignore:.* images say little')


def static_network():
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), nn.ReLU()]
    layers += [nn.Conv2d(8, 8, 3, padding='same', dilation=2, groups=1), nn.BatchNorm2d(8), nn.Conv2d(8, 12, 1)]
    return nn.Sequential(*layers).double()


def dynamic_network(operator, **options):
    """Attention differs from image to image, and normalisations have statistics."""
    torch.manual_seed(0)
    network = static_network()
    make_dynamic(network, operator, **options)
    for name, parameter in network.named_parameters():
        if 'attention' in name:
            nn.init.normal_(parameter, std=1.0)
        elif name.endswith('bias'):
            nn.init.normal_(parameter)
    for layer in (layer for _, layer in dynamic_layers(network) if layer.temperature is not None):
        layer.temperature.fill_(0.3)
    for _ in range(3):
        network(torch.randn(9, 3, 19, 15, dtype=torch.float64))
    return network.eval()


@pytest.mark.parametrize('operator', OPERATORS)
@torch.no_grad()
def test_the_mean_of_what_each_image_does(operator):
    network = dynamic_network(operator)
    before = copy.deepcopy(network.state_dict())
    x, z = torch.randn(2, 7, 3, 19, 15, dtype=torch.float64)
    collapsed = to_static(network, batches=x.split(3))
    assert not list(dynamic_layers(collapsed)) and not collapsed.training
    for name, layer in dynamic_layers(network):
        number = int(name)
        seen, features = network[:number](x), network[:number](z)
        padded_x, geometry = padded(layer, features)
        outputs = []
        for image in seen:
            attention = layer.attention(image.expand_as(features))
            outputs.append(layer.convolve(padded_x, attention, geometry))
        spread = torch.stack(outputs).std(dim=0).max()
        assert spread > 1e-3, name
        expected = torch.stack(outputs).mean(dim=0)
        torch.testing.assert_close(collapsed[number](features), expected, rtol=0, atol=1e-10)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    torch.testing.assert_close(to_deploy(collapsed)(z), collapsed(z), rtol=0, atol=1e-10)


@pytest.mark.parametrize('operator', OPERATORS)
@torch.no_grad()
def test_the_inverse_of_a_warm_start(operator):
    static = static_network().eval()
    network = copy.deepcopy(static)
    make_dynamic(network, operator, warm_start=True)
    x = torch.randn(4, 3, 19, 15, dtype=torch.float64)
    back = to_static(network, 'mean', [x])
    for name, value in static.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value, rtol=0, atol=1e-9)
    assert operator is DCDConv2d or back.state_dict().keys() == static.state_dict().keys()
    assert [repr(layer) for layer in back[:1]] == [repr(layer) for layer in static[:1]]


@pytest.mark.parametrize(
    ('arguments', 'kind'),
    [
        ((4, 6, 3, 2, 'same', 1, 2), Conv2dSame),
        ((4, 6, (2, 3), 1, 'same', 2, 1, False), nn.Conv2d),
        ((4, 6, 3, 1, 'valid'), nn.Conv2d),
        ((4, 4, 3, 2, (0, 1), 1, 4, True, 'circular'), nn.Conv2d),
        ((4, 6, 3, 1, 1, 1, 1, True, 'reflect'), nn.Conv2d),
    ],
    ids=str,
)
@torch.no_grad()
def test_a_layer_alone_keeps_its_geometry(arguments, kind):
    layer, x = DyConv2d(*arguments, num_kernels=1).double(), torch.randn(3, 4, 9, 8, dtype=torch.float64)
    conv = to_static(layer, batches=[x])
    assert type(conv) is kind and conv.training and conv.weight.requires_grad
    torch.testing.assert_close(conv(x), layer(x), rtol=0, atol=1e-12)


@torch.no_grad()
def test_some_layers_and_those_that_stand_twice():
    network = dynamic_network(DyConv2d)
    network.insert(2, nn.Sequential(network[1]))
    means = mean_kernels(network, [torch.randn(5, 3, 19, 15, dtype=torch.float64)])
    partly = to_static(network, means, layers=['1'])
    assert [name for name, _ in dynamic_layers(partly)] == ['4', '6'] and partly[2][0] is partly[1]
    network = dynamic_network(KernelWarehouse2d, include=['3', '5'], warehouses=[dict(layers=['*'])])
    means = mean_kernels(network, [torch.randn(5, 3, 19, 15, dtype=torch.float64)])
    with pytest.raises(ValueError, match='are collapsed together'):
        to_static(network, means, layers=['3'])


def test_variation_and_mistakes():
    network, x = dynamic_network(DyConv2d), torch.randn(6, 3, 19, 15, dtype=torch.float64)
    with pytest.warns(UserWarning, match='6 images say little'):
        means = mean_kernels(network, [x])
    same = mean_kernels(network, [x[:1].expand(100, -1, -1, -1)])
    assert all(means[name].variation > 1e-3 > 1e-6 > same[name].variation for name in means)
    with pytest.raises(ValueError, match="must be 'mean' or what mean_kernels returned, got 'max'"):
        to_static(network, 'max')
    with pytest.raises(ValueError, match='there are none'):
        to_static(network)
    with pytest.raises(ValueError, match='Only dynamic layers can be collapsed, Sequential has none'):
        to_static(static_network(), batches=[x])
