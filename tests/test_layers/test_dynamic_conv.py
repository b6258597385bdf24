"""DyConv2d against the definition of the paper, written as a loop, and against nn.Conv2d."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.forced_form import forced_form
from dyconv_pose.layers import Conv2dSame, DyConv2d, KernelAttention

GEOMETRIES = [
    dict(in_channels=6, out_channels=4, kernel_size=1),
    dict(in_channels=6, out_channels=4, kernel_size=1, stride=2),
    dict(in_channels=6, out_channels=4, kernel_size=1, padding=1),
    dict(in_channels=6, out_channels=4, kernel_size=1, groups=2),
    dict(in_channels=6, out_channels=6, kernel_size=3, padding=1, groups=6),
    dict(in_channels=6, out_channels=12, kernel_size=5, stride=2, padding=2, groups=6, bias=False),
    dict(in_channels=6, out_channels=4, kernel_size=3, stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    dict(in_channels=6, out_channels=4, kernel_size=(3, 5), padding='same', groups=2),
    dict(in_channels=6, out_channels=4, kernel_size=(2, 4), padding='same', padding_mode='circular'),
    dict(in_channels=6, out_channels=4, kernel_size=3, padding='valid', dilation=2),
    dict(in_channels=6, out_channels=4, kernel_size=3, padding=(1, 2), padding_mode='reflect'),
    dict(in_channels=6, out_channels=4, kernel_size=3, padding=1, stride=2, padding_mode='replicate', bias=False),
]


#: SAME padding at any stride, as TensorFlow pads.
SAME = [
    dict(in_channels=6, out_channels=4, kernel_size=3, stride=2, padding='same'),
    dict(in_channels=6, out_channels=6, kernel_size=(5, 2), stride=(3, 2), padding='same', groups=6, bias=False),
    dict(in_channels=6, out_channels=4, kernel_size=3, stride=2, dilation=(1, 2), padding='same', groups=2),
    dict(in_channels=6, out_channels=4, kernel_size=1, stride=3, padding='same'),
]
GEOMETRIES += SAME


def definition(layer: DyConv2d, x: torch.Tensor) -> torch.Tensor:
    """The paper's formulas for one sample after the other, with nn.Conv2d as the convolution."""
    outputs = []
    for sample in x:
        attention = layer.attention
        hidden = attention.squeeze.weight @ sample.mean(dim=(1, 2)) + attention.squeeze.bias
        logits = attention.excite.weight @ hidden.clamp(min=0) + attention.excite.bias
        weights = torch.exp(logits / attention.temperature)
        weights = weights / weights.sum()
        conv = static_twin(layer)
        conv.weight = nn.Parameter(sum(pi * kernel for pi, kernel in zip(weights, layer.weight, strict=True)))
        if layer.bias is not None:
            conv.bias = nn.Parameter(sum(pi * bias for pi, bias in zip(weights, layer.bias, strict=True)))
        outputs.append(conv(sample.unsqueeze(0))[0])
    return torch.stack(outputs)


def static_twin(layer: DyConv2d) -> nn.Conv2d:
    conv = nn.Conv2d if layer.padding != 'same' or layer.stride == (1, 1) else Conv2dSame
    return conv(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
        dtype=layer.weight.dtype,
    )


def make(temperature=2.0, **kwargs) -> DyConv2d:
    """A double-precision layer whose kernels, biases and attention all differ from sample to sample."""
    layer = DyConv2d(**kwargs, reduction=1, temperature=temperature).double()
    nn.init.normal_(layer.attention.excite.weight, std=3.0)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize('batch', [1, 2, 5])
@pytest.mark.parametrize('kwargs', GEOMETRIES, ids=str)
def test_equals_the_definition(kwargs, batch):
    layer = make(**kwargs)
    x = torch.randn(batch, 6, 9, 7, dtype=torch.float64) + torch.randn(batch, 6, 1, 1, dtype=torch.float64)
    attention = layer.attention(x)
    assert batch == 1 or (attention[0] - attention[1]).abs().max() > 0.01  # the samples do get different kernels
    torch.testing.assert_close(layer(x), definition(layer, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kwargs', GEOMETRIES, ids=str)
def test_channels_last_equals_contiguous(kwargs):
    layer = make(**kwargs)
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x.to(memory_format=torch.channels_last)), layer(x), rtol=1e-12, atol=1e-12)


def test_a_layer_can_be_moved_to_channels_last_whole():
    layer = make(in_channels=6, out_channels=4, kernel_size=3)
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    expected, bank = layer(x), layer.weight.detach().clone()
    layer.to(memory_format=torch.channels_last)
    assert torch.equal(layer.weight, bank)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize('kwargs', GEOMETRIES, ids=str)
def test_one_kernel_is_a_static_convolution(kwargs):
    layer = DyConv2d(**kwargs, num_kernels=1).double()
    conv = static_twin(layer)
    with torch.no_grad():
        layer.weight.copy_(conv.weight.unsqueeze(0))
        if layer.bias is not None:
            layer.bias.copy_(conv.bias.unsqueeze(0))
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('chosen', range(4))
def test_one_hot_attention_is_that_kernel(chosen):
    layer = make(in_channels=6, out_channels=4, kernel_size=3, temperature=1e-3)
    with torch.no_grad():
        layer.attention.excite.weight.zero_()
        layer.attention.excite.bias.copy_(F.one_hot(torch.tensor(chosen), 4))
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight[chosen], layer.bias[chosen]))


def test_infinite_temperature_is_the_mean_kernel():
    layer = make(in_channels=6, out_channels=4, kernel_size=3, temperature=1e12)
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight.mean(0), layer.bias.mean(0)))


@pytest.mark.parametrize('kwargs', [GEOMETRIES[0], GEOMETRIES[4], GEOMETRIES[6]], ids=str)
@pytest.mark.parametrize('batch', [1, 2])
def test_gradients(kwargs, batch):
    layer = make(**kwargs)
    x = torch.randn(batch, 6, 5, 4, dtype=torch.float64, requires_grad=True)
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def forward(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(forward, (x, *(p.detach().requires_grad_() for p in parameters)), fast_mode=True)


def test_attention_sums_to_one_and_flattens_with_temperature():
    attention = KernelAttention(8, num_kernels=5, temperature=1.0)
    nn.init.normal_(attention.excite.weight, std=5.0)
    x = torch.randn(4, 8, 6, 6)
    sharp = attention(x)
    attention.temperature.fill_(30.0)
    flat = attention(x)
    torch.testing.assert_close(sharp.sum(1), torch.ones(4))
    torch.testing.assert_close(flat.sum(1), torch.ones(4))
    assert flat.max() - flat.min() < 0.5 * (sharp.max() - sharp.min())


def test_temperature_is_in_the_checkpoint():
    layer = DyConv2d(4, 4, 1, temperature=30)
    layer.attention.temperature.fill_(7.5)
    other = DyConv2d(4, 4, 1, temperature=30)
    other.load_state_dict(layer.state_dict())
    assert other.attention.temperature.item() == 7.5


def test_empty_batch():
    for kwargs in GEOMETRIES:
        layer = make(**kwargs)
        y = layer(torch.zeros(0, 6, 9, 7, dtype=torch.float64))
        assert y.shape == (0, *layer(torch.zeros(1, 6, 9, 7, dtype=torch.float64)).shape[1:])
        y.sum().backward()


def test_one_sample_without_batch_dimension():
    layer = make(in_channels=6, out_channels=4, kernel_size=3)
    x = torch.randn(6, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x), layer(x.unsqueeze(0))[0])


@pytest.mark.parametrize('kwargs', [GEOMETRIES[0], GEOMETRIES[4], GEOMETRIES[6]], ids=str)
@pytest.mark.parametrize('batch', [1, 3])
def test_autocast_computes_in_bfloat16(kwargs, batch):
    layer = make(**kwargs).float()
    x = torch.randn(batch, 6, 9, 7)
    with torch.autocast('cpu', torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=0.05, atol=0.1)
    y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize('form', [None, 'grouped'])
def test_autocast_mixes_the_kernels_of_the_gradient(form):
    """At a large temperature attention weights differ by less than bfloat16 can tell: they stay in float32."""
    layer, x = make(in_channels=6, out_channels=4, kernel_size=3, temperature=300).float(), torch.randn(8, 6, 9, 7)
    seen, product = [], torch.mm

    def mm(a, b):
        seen.append(product(a, b))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch, torch.autocast('cpu', torch.bfloat16), forced_form(form):
        patch.setattr(torch, 'mm', mm)
        layer(x)
    assert len(seen) >= 2  # kernels and biases
    assert {y.dtype for y in seen} == {torch.float32}


@pytest.mark.parametrize('batch', [1, 3])
def test_autocast_leaves_doubles_alone_as_that_of_a_static_convolution(batch):
    layer, x = make(in_channels=6, out_channels=4, kernel_size=3), torch.randn(batch, 6, 9, 7, dtype=torch.float64)
    with torch.autocast('cpu', torch.bfloat16):
        assert nn.Conv2d(6, 4, 3).double()(x).dtype == layer(x).dtype == torch.float64


def test_device_and_type_of_the_parameters():
    layer = DyConv2d(6, 4, 3, device='meta', dtype=torch.float64)
    tensors = [*layer.parameters(), *layer.buffers()]
    assert {(t.device.type, t.dtype) for t in tensors} == {('meta', torch.float64)}


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_whole_layer_in_half_precision(dtype):
    layer = make(**GEOMETRIES[4]).to(dtype)
    assert layer(torch.randn(2, 6, 9, 7, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(num_kernels=0), 'num_kernels must be at least 1, got 0'),
        (dict(reduction=0), 'reduction must be at least 1, got 0'),
        (dict(temperature=0), 'temperature must be positive, got 0'),
        (dict(groups=3), 'groups must divide in_channels and out_channels'),
        (dict(padding_mode='mirror'), "but got padding_mode='mirror'"),
        (dict(padding='full'), "'full', should be one of"),
    ],
)
def test_mistakes_are_named(kwargs, words):
    with pytest.raises(ValueError, match=words):
        DyConv2d(8, 8, 3, **kwargs)


def test_kernels_of_a_subclass_are_used_and_not_folded_away():
    class Doubled(DyConv2d):
        def kernels(self, attention):
            weight, bias = super().kernels(attention)
            return 2 * weight, bias

    layer, x = Doubled(4, 6, 3, bias=False), torch.randn(2, 4, 5, 5)
    plain = DyConv2d(4, 6, 3, bias=False)
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), 2 * plain(x))
    assert plain.is_mixture and not layer.is_mixture
