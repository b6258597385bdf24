"""Operators that a user writes: what deals with dynamic layers takes each of them right, or refuses it."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dyconv_pose.layers import (
    DyConv2d,
    DynamicConv2d,
    KernelAttention,
    aggregate,
    convolve_per_sample,
    dynamic_layers,
    make_dynamic,
)


class Gains(nn.Module):
    """Two softmaxes from the features: one over kernels, one over output channels, in one tensor."""

    def __init__(self, in_channels, num_kernels, out_channels, temperature, **where):
        super().__init__()
        self.num_kernels = num_kernels
        self.linear = nn.Linear(in_channels, num_kernels + out_channels, **where)
        self.register_buffer('temperature', torch.tensor(float(temperature), **where))

    def forward(self, x):
        logits = self.linear(x.mean((2, 3)))
        kernels, channels = logits[:, : self.num_kernels], logits[:, self.num_kernels :]
        return torch.cat([torch.softmax(kernels / self.temperature, 1), 2 * torch.sigmoid(channels)], 1)


class Scaled(DynamicConv2d):
    """Mixes the bank and scales every output channel of a kernel by a gain that depends on the image."""

    zero_at_start = ('attention.linear',)

    def build_attention(self, temperature=3.0, **where):
        return Gains(self.in_channels, self.num_kernels, self.out_channels, temperature, **where)

    def aggregate(self, attention, bank):
        pi, gains = attention[:, : self.num_kernels], attention[:, self.num_kernels :]
        return aggregate(pi, bank) * gains.view(*gains.shape, *[1] * (bank.dim() - 2))

    def convolve(self, x, attention, geometry):
        bias = None if self.bias is None else self.aggregate(attention, self.bias)
        return convolve_per_sample(x, self.aggregate(attention, self.weight), bias, geometry)


class Sigmoid(DyConv2d):
    """A subclass whose weights do not sum to one, and which says nothing about a warm start."""

    def build_attention(self, **where):
        linear = nn.Linear(self.in_channels, self.num_kernels, **where)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear, nn.Sigmoid())


class Doubled(DyConv2d):
    """A subclass that makes its kernels in its own way: of K copies, twice the kernel."""

    def aggregate(self, attention, bank):
        return 2 * aggregate(attention, bank)


class LoudAttention(KernelAttention):
    """A subclass of the paper's attention."""

    def forward(self, x):
        return torch.softmax(100 * self.excite(F.relu(self.squeeze(x.amax((2, 3))))) / self.temperature, 1)


class Loud(DyConv2d):
    """A subclass with another attention, which sums to one."""

    def build_attention(self, reduction=4, temperature=30.0, **where):
        return LoudAttention(self.in_channels, self.num_kernels, reduction, temperature, **where)


OPERATORS = [Scaled, Sigmoid, Doubled, Loud]
ARGUMENTS = [(6, 4, 3, 2, 1), (6, 6, 3, 1, 1, 1, 6), (6, 8, 1)]


def one_by_one(layer, x):
    outputs = []
    for sample in x[:, None]:
        attention = layer.attention(sample)
        g = layer.stride, layer.padding, layer.dilation, layer.groups
        weight, bias = (layer.aggregate(attention, bank)[0] for bank in (layer.weight, layer.bias))
        outputs.append(F.conv2d(sample, weight, bias, *g))
    return torch.cat(outputs)


@pytest.mark.parametrize('arguments', ARGUMENTS, ids=str)
@pytest.mark.parametrize('operator', OPERATORS)
def test_runs_traced_and_exported_at_any_batch_size(operator, arguments):
    layer = operator(*arguments).double()
    nn.init.normal_(layer.bias)
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    expected = one_by_one(layer, x)
    assert (expected[0] - expected[1]).abs().max() > 1e-3
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(torch.jit.trace(layer, x[:1])(x), expected)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim('batch')},), strict=False)
    exported = program.module()
    for batch in (1, 2, 3):
        torch.testing.assert_close(exported(x[:batch]), expected[:batch])
    gradients = torch.autograd.grad(layer(x).sum(), layer.parameters())
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize('operator', [Scaled, Doubled, Loud])
def test_a_warm_start_is_exact(operator):
    static, layer, x = nn.Conv2d(6, 4, 3).double(), operator(6, 4, 3).double(), torch.randn(3, 6, 9, 7).double()
    layer.load_state_dict(static.state_dict())
    torch.testing.assert_close(layer(x), static(x))
    network = nn.Sequential(copy.deepcopy(static))
    make_dynamic(network, operator, include=['*'], warm_start=True, num_kernels=3)
    torch.testing.assert_close(network(x), static(x))
    assert type(network[0]) is operator


def test_a_warm_start_that_would_be_wrong_is_refused():
    static = nn.Conv2d(6, 4, 3)
    with pytest.raises(ValueError, match='what Sigmoid makes of them is another: train it from scratch'):
        Sigmoid(6, 4, 3).load_state_dict(static.state_dict())
    network = nn.Sequential(nn.Conv2d(3, 6, 3), static)
    with pytest.raises(ValueError, match='what Sigmoid makes'):
        make_dynamic(network, Sigmoid, warm_start=True)
    assert network[1] is static  # nothing was replaced


def test_a_warm_start_of_what_adds_to_the_convolution_is_refused():
    class Residual(DyConv2d):
        def convolve(self, x, attention, geometry):
            return super().convolve(x, attention, geometry) + attention[:, :1, None, None]

    with pytest.raises(ValueError, match='what Residual makes of them is another'):
        Residual(6, 4, 3).load_state_dict(nn.Conv2d(6, 4, 3).state_dict())
    assert not Residual(6, 4, 3).is_mixture


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_warm_start_in_half_precision(dtype):
    static, layer = (kind(6, 4, 3, padding=2, padding_mode='circular').to(dtype) for kind in (nn.Conv2d, DyConv2d))
    layer.load_state_dict(static.state_dict())
    assert torch.equal(layer.weight[3], static.weight)


def test_loading_draws_no_random_numbers_and_keeps_nan():
    static, layer = nn.Conv2d(6, 4, 3), DyConv2d(6, 4, 3)
    before = torch.get_rng_state()
    layer.load_state_dict(static.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    nn.init.constant_(static.weight, float('nan'))
    layer.load_state_dict(static.state_dict())
    assert layer.weight.isnan().all()


def test_all_are_found_with_their_temperatures():
    network = nn.ModuleDict({kind.__name__: kind(6, 4, 3) for kind in OPERATORS})
    assert [name for name, _ in dynamic_layers(network)] == [kind.__name__ for kind in OPERATORS]
    found = {name: layer.temperature for name, layer in dynamic_layers(network)}
    assert found.pop('Sigmoid') is None
    assert {name: float(tau) for name, tau in found.items()} == dict(Scaled=3, Doubled=30, Loud=30)


def test_which_are_mixtures():
    assert [kind(6, 4, 3).is_mixture for kind in (*OPERATORS, DyConv2d)] == [False, True, False, True, True]
