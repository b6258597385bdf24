"""The rule that picks convolutions, and the warm start, both tested on what the network computes."""

import pytest
import torch
from torch import nn

from dyconv_pose.layers import DyConv2d, dynamic_layers, make_dynamic
from dyconv_pose.layers.convert import kind_of


def static_network() -> nn.Module:
    """One convolution of each kind, with and without biases, and a batch normalisation between them."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(), nn.Conv2d(8, 6, 1)),
        nn.Conv2d(6, 6, 3, stride=2, groups=2, padding_mode='reflect', padding=1),
    ).double()


def convert(network: nn.Module, num_kernels: int = 4, **rule) -> list[str]:
    """By default all convolutions, the first too."""
    arguments = dict(num_kernels=num_kernels, temperature=1.0)
    return list(make_dynamic(network, **{'include': ['*'], **rule}, **arguments).converted)


def dynamic_network(num_kernels: int = 4, **rule) -> nn.Module:
    """The dynamic twin, its attention far from uniform."""
    network = static_network()
    convert(network, num_kernels, **rule)
    for _, layer in dynamic_layers(network):
        nn.init.normal_(layer.attention.excite.weight, std=3.0)
        nn.init.normal_(layer.attention.excite.bias, std=3.0)
    return network


def outputs(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    network.eval()
    with torch.no_grad():
        return network(x)


@pytest.fixture
def static():
    network = static_network()
    network(torch.randn(8, 3, 12, 10, dtype=torch.float64))  # gives the batch normalisation statistics
    return network


@pytest.fixture
def x():
    return torch.randn(3, 3, 12, 10, dtype=torch.float64)


class TestRule:
    @pytest.mark.parametrize(
        ('rule', 'expected'),
        [
            ({}, ['0', '2.0', '2.2', '3']),
            (dict(include=['2.*']), ['2.0', '2.2']),
            (dict(exclude=['2.*']), ['0', '3']),
            (dict(include=['2.*', '0'], exclude=['*.2']), ['0', '2.0']),
            (dict(kinds=['pointwise']), ['2.2']),
            (dict(kinds=['depthwise']), ['2.0']),
            (dict(kinds=['dense']), ['0', '3']),
            (dict(kinds=['pointwise', 'depthwise'], exclude=['2.0']), ['2.2']),
        ],
    )
    def test_picks(self, rule, expected):
        network = static_network()
        assert convert(network, **rule) == expected
        assert [name for name, _ in dynamic_layers(network)] == expected

    def test_kinds(self):
        assert kind_of(nn.Conv2d(8, 8, 1, groups=8)) == 'pointwise'
        assert kind_of(nn.Conv2d(8, 16, 3, groups=8)) == 'depthwise'
        assert kind_of(nn.Conv2d(1, 8, 3)) == 'dense'
        assert kind_of(nn.Conv2d(8, 8, (1, 3))) == 'dense'

    @pytest.mark.parametrize(
        ('rule', 'message'),
        [
            (dict(include=['layer9.*']), r"'layer9\.\*'.* must match .*Sequential.* matches none.*0, 2\.0, 2\.2, 3"),
            (dict(include=['0', 'layer9']), r"\['layer9'\] matches none"),
            (dict(exclude=['*']), 'the whole of it matches none'),
            (dict(include=['0'], kinds=['depthwise']), 'the whole of it matches none'),
            (dict(kinds=['pointwize']), "kinds must be out of .*'pointwise'.*got .*'pointwize'"),
            (dict(include='2.*'), r"lists of strings, got '2\.\*': write \['2\.\*'\]"),
        ],
    )
    def test_mistakes(self, rule, message):
        network = static_network()
        with pytest.raises(ValueError, match=message):
            convert(network, **rule)
        assert not list(dynamic_layers(network))

    def test_network_without_convolutions(self):
        with pytest.raises(ValueError, match='it has none'):
            convert(nn.Sequential(nn.Linear(3, 3)))


class TestLoadingAStaticState:
    @pytest.mark.parametrize('num_kernels', [1, 2, 4])
    @pytest.mark.parametrize('assign', [False, True])
    def test_computes_what_the_static_network_does(self, static, x, num_kernels, assign):
        network = dynamic_network(num_kernels)
        before = outputs(network, x)
        report = network.load_state_dict(static.state_dict(), strict=True, assign=assign)
        assert not report.missing_keys
        assert not report.unexpected_keys
        after = outputs(network, x)
        assert (after - before).abs().max() > 0.1
        torch.testing.assert_close(after, outputs(static, x), rtol=0, atol=1e-12)

    def test_partly_dynamic_network(self, static, x):
        network = dynamic_network(include=['2.*'])
        network.load_state_dict(static.state_dict())
        torch.testing.assert_close(outputs(network, x), outputs(static, x), rtol=0, atol=1e-12)

    def test_the_kernels_are_parameters_of_their_own(self, static):
        network = dynamic_network()
        network.load_state_dict(static.state_dict(), assign=True)
        with torch.no_grad():
            network[0].weight[0].add_(1.0)
        assert torch.equal(network[0].weight[1], static[0].weight)
        assert torch.equal(network[0].weight[0], static[0].weight + 1.0)

    def test_attention_and_temperature_stay(self, static):
        network = dynamic_network()
        before = {key: value.clone() for key, value in network.state_dict().items() if 'attention' in key}
        assert len(before) == 4 * 5
        network.load_state_dict(static.state_dict())
        after = network.state_dict()
        assert all(torch.equal(after[key], value) for key, value in before.items())

    def test_the_state_given_is_not_changed(self, static):
        state = static.state_dict()
        shapes = {key: value.shape for key, value in state.items()}
        dynamic_network().load_state_dict(state)
        assert {key: value.shape for key, value in state.items()} == shapes

    def test_what_does_not_fit_is_still_reported(self, static):
        state = static.state_dict()
        del state['2.2.bias']
        network = dynamic_network()
        with pytest.raises(RuntimeError, match=r'2\.2\.bias'):
            network.load_state_dict(state)
        state = {**static.state_dict(), '0.weight': torch.zeros(8, 3, 5, 5)}
        with pytest.raises(RuntimeError, match=r'size mismatch for 0\.weight'):
            network.load_state_dict(state)
        with pytest.raises(RuntimeError, match=r'Unexpected key.*0\.scale'):
            network.load_state_dict({**static.state_dict(), '0.scale': torch.zeros(1)})


class TestLoadingADynamicState:
    def test_round_trip(self, x):
        source, target = dynamic_network(), dynamic_network()
        target.load_state_dict(source.state_dict())
        source(x), target(x)
        assert torch.equal(outputs(source, x), outputs(target, x))

    def test_missing_attention_is_reported(self):
        state = dynamic_network().state_dict()
        del state['0.attention.excite.bias']
        with pytest.raises(RuntimeError, match=r'0\.attention\.excite\.bias'):
            dynamic_network().load_state_dict(state)

    @pytest.mark.parametrize('strict', [False, True])
    def test_another_number_of_kernels_is_refused(self, strict):
        state = dynamic_network(num_kernels=2).state_dict()
        message = 'K must be .*: 0 has K=4 and the checkpoint K=2: set num_kernels=2 in conv_cfg, or .* static'
        with pytest.raises(ValueError, match=message):
            dynamic_network(num_kernels=4).load_state_dict(state, strict=strict)


def test_a_layer_under_two_names_stays_one_layer():
    conv = nn.Conv2d(3, 3, 1)
    network = nn.ModuleDict(dict(a=conv, b=conv))
    assert convert(network) == ['a', 'b']
    assert network['a'] is network['b']
    assert isinstance(network['a'], DyConv2d)


def test_an_exclusion_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"\['misspelt'\] matches none"):
        convert(static_network(), exclude=['3', 'misspelt'])


class TestNoise:
    def test_of_a_kernel_of_one_element(self):
        layer = DyConv2d(1, 1, 1)
        layer.load_state_dict({'weight': torch.full((1, 1, 1, 1), 2.0), 'bias': torch.zeros(1)})
        layer.add_noise(0.1)
        assert layer.weight.flatten().tolist() == [2.0] * 4

    def test_statistics(self):
        torch.manual_seed(0)
        static, layer = nn.Conv2d(64, 64, 3), DyConv2d(64, 64, 3)
        layer.load_state_dict(static.state_dict())
        layer.add_noise(0.1)
        torch.testing.assert_close(layer.weight.mean(0), static.weight, rtol=0, atol=1e-6)
        expected = 0.1 * static.weight.std().item()
        for kernel in layer.weight:
            assert (kernel - static.weight).std().item() == pytest.approx(expected, rel=0.02)

    def test_lets_the_kernels_part(self, static, x):
        def gradients(noise):
            network = dynamic_network()
            network.load_state_dict(static.state_dict())
            for _, layer in dynamic_layers(network):
                layer.add_noise(noise)
            network(x).square().sum().backward()
            return network[3].attention.excite.bias.grad

        # With equal kernels the output does not depend on the attention, so the attention cannot learn.
        assert gradients(0.0).abs().max() < 1e-9
        assert gradients(0.1).abs().max() > 1e-6
