"""make_dynamic on any network: what it converts, what it leaves and why, and what the result computes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from dyconv_pose.layers import CondConv2d, Conv2dSame, DyConv2d, dynamic_layers, make_dynamic


class PaddedInForward(nn.Conv2d):
    """SAME padding by hand, as timm's and MMCV's subclasses do it."""

    def forward(self, x):
        pads = []
        for size, k, step in zip(x.shape[2:], self.kernel_size, self.stride, strict=True):
            total = max((-(-size // step) - 1) * step + k - size, 0)
            pads = [total // 2, total - total // 2, *pads]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Standardised(nn.Conv2d):
    """Weight standardisation, as timm's StdConv2d."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Renamed(nn.Conv2d):
    """A subclass that changes nothing."""


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Sequential(PaddedInForward(8, 8, 3, 2), nn.ReLU(), Renamed(8, 6, 1)),
        Standardised(6, 6, 3, padding=1),
        Conv2dSame(6, 6, 5, 2, groups=6),
    )


def test_what_is_converted_and_what_is_left():
    model = network()
    result = make_dynamic(model, num_kernels=3)
    assert result.converted == ('2.0', '2.2', '4')
    assert result.left == {'0': 'the first convolution', '3': 'Standardised is no plain convolution'}
    assert str(result).splitlines() == [
        '3 dynamic: 2.0, 2.2, 4',
        '1 static, the first convolution: 0',
        '1 static, Standardised is no plain convolution: 3',
    ]
    layers = dict(dynamic_layers(model))
    assert [layer.padding for layer in layers.values()] == ['same', (0, 0), 'same']
    assert {layer.num_kernels for layer in layers.values()} == {3}


@pytest.mark.parametrize('layer', [DyConv2d, CondConv2d])
@pytest.mark.parametrize('noise', [0.0, 0.1])
def test_a_warm_start_computes_what_the_network_did(layer, noise):
    model = network().double().eval()
    x = torch.randn(3, 3, 12, 13, dtype=torch.float64)
    twin = copy.deepcopy(model)
    make_dynamic(twin, layer, include=['*'], warm_start=True, noise=noise)
    assert len(list(dynamic_layers(twin))) == 4
    if noise:
        assert not torch.allclose(twin(x), model(x))
        for name, dynamic in dynamic_layers(twin):
            ratio = dynamic.weight.mean(0) / model.get_submodule(name).weight
            torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))  # the mean kernel is the static one
    else:
        torch.testing.assert_close(twin(x), model(x))


def test_reasons_of_a_rule():
    result = make_dynamic(network(), exclude=['4'], kinds=['pointwise'])
    assert result.converted == ('2.2',)
    assert result.left == {'0': 'the first convolution', '2.0': 'not pointwise', '3': 'not pointwise', '4': 'excluded'}
    assert make_dynamic(network(), include=['0', '2.*']).left.keys() == {'3', '4'}


def test_type_gradient_and_mode_follow_the_convolution():
    model = network().double().eval().requires_grad_(False)
    make_dynamic(model)
    for _, layer in dynamic_layers(model):
        assert layer.weight.dtype == torch.float64
        assert not layer.training
        assert not any(parameter.requires_grad for parameter in layer.parameters())


def test_a_shared_convolution_stays_shared():
    conv = nn.Conv2d(3, 3, 1)
    model = nn.ModuleDict(dict(stem=nn.Conv2d(3, 3, 1), a=conv, b=conv))
    assert make_dynamic(model).converted == ('a', 'b')
    assert model['a'] is model['b']


def test_kernels_that_are_computed_stay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.LazyConv2d(4, 3), nn.Conv2d(4, 4, 1))
    parametrize.register_parametrization(model[1], 'weight', nn.Tanh())
    assert make_dynamic(model).converted == ('3',)


def test_mistakes():
    with pytest.raises(ValueError, match=r'the whole of it matches none.*named 0 \(0 is left as the first\)'):
        make_dynamic(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(ValueError, match='set warm_start=True'):
        make_dynamic(network(), noise=0.1)
    with pytest.raises(ValueError, match='noise must not be negative'):
        make_dynamic(network(), warm_start=True, noise=-0.1)
    model = network()
    with pytest.raises(TypeError, match='num_kernel'):
        make_dynamic(model, num_kernel=3)
    assert not list(dynamic_layers(model))


def check_network(model, size=64):
    """One warm start, one step, one export of a network that somebody else wrote."""
    model.eval()
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = model(x)
    result = make_dynamic(model, warm_start=True)
    assert result.converted
    assert 'the first convolution' in result.left.values()
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())
    model.train()
    model(x).square().mean().backward()
    assert all(layer.weight.grad.isfinite().all() for _, layer in dynamic_layers(model))
    return result


@pytest.fixture
def torchvision_models():
    from dyconv_pose import compat

    if compat.importlib.util.find_spec('torchvision') is None:
        pytest.skip('torchvision is not installed')
    compat._declare_torchvision_operators()
    return pytest.importorskip('torchvision.models')


@pytest.mark.parametrize('name', ['resnet18', 'mobilenet_v3_small', 'shufflenet_v2_x0_5'])
def test_networks_of_torchvision(torchvision_models, name):
    model = torchvision_models.get_model(name, weights=None)
    result = check_network(model)
    x = torch.randn(3, 3, 64, 64)
    if name == 'resnet18':
        assert len(result.converted) == 19
        program = torch.export.export(
            model.eval(), (x,), dynamic_shapes=({0: torch.export.Dim('batch')},), strict=False
        )
        with torch.no_grad():
            torch.testing.assert_close(program.module()(x[:1]), model(x[:1]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('name', ['tf_efficientnet_lite0', 'convnext_atto', 'resnetv2_50x1_bit'])
def test_networks_of_timm(torchvision_models, name):
    timm = pytest.importorskip('timm')
    model = timm.create_model(name, num_classes=10)
    result = check_network(model)
    paddings = {layer.padding for _, layer in dynamic_layers(model)}
    assert ('same' in paddings) == (name == 'tf_efficientnet_lite0')
    assert ('StdConv2d is no plain convolution' in result.left.values()) == (name == 'resnetv2_50x1_bit')
