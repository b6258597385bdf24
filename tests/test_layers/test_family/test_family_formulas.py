"""The relatives of DyConv2d: their formulas as a loop over samples, gradients, and starts from static weights."""

import copy

import pytest
import torch
import torch.nn.functional as F
from relatives import CASES, GEOMETRIES, OPERATORS, TYPICAL, conv_of, fits, inputs, make
from torch import nn

from dyconv_pose.layers import DCDConv2d, KernelWarehouse2d, ODConv2d, make_dynamic


def normalised(values, norm) -> torch.Tensor:
    return (values - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def od_kernel(layer, sample) -> tuple:
    """ODConv's formulas, channel by channel."""
    attention = layer.attention
    h = normalised(attention.squeeze.weight @ sample.mean(dim=(1, 2)), attention.norm).clamp(min=0)
    z = {axis: (part.weight @ h + part.bias) / attention.temperature for axis, part in attention.axes.items()}
    pi = z['kernels'].exp() / z['kernels'].exp().sum() if 'kernels' in z else torch.ones(1).double()
    kernel = sum(share * one for share, one in zip(pi, layer.weight, strict=True)).clone()
    per_group, outs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    for o in range(layer.out_channels):
        for i in range(per_group):
            kernel[o, i] *= torch.sigmoid(z['inputs'][o // outs * per_group + i])
        if 'outputs' in z:
            kernel[o] *= torch.sigmoid(z['outputs'][o])
    if 'places' in z:
        kernel = kernel * torch.sigmoid(z['places']).view(layer.kernel_size)
    bias = None if layer.bias is None else sum(share * one for share, one in zip(pi, layer.bias, strict=True))
    return kernel, bias


def dcd_kernel(layer, sample) -> tuple:
    """DCD's formulas, as the matrices that the residual is made of."""
    attention = layer.attention
    h = attention.squeeze.weight @ F.adaptive_avg_pool2d(sample, int(attention.parts**0.5)).flatten()
    h = h * ((attention.gate.weight @ h + 3).clamp(0, 6) / 3)
    scale = (attention.scale.weight @ h + 3).clamp(0, 6) / 3
    phi = (attention.phi.weight @ h).view(attention.latent, attention.latent)

    def residual(values):  # (C_in,) -> (C_out,)
        z = normalised(layer.reduce.weight @ values, layer.norm1)
        return layer.expand.weight @ (normalised(phi @ z, layer.norm2) + z)

    constant = residual(torch.zeros(layer.in_channels).double())
    kernel = layer.weight[0] * scale[:, None, None, None]
    for i, one in enumerate(torch.eye(layer.in_channels).double()):
        kernel[:, i, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] += residual(one) - constant
    return kernel, constant if layer.bias is None else constant + layer.bias[0]


def warehouse_kernel(layer, sample) -> tuple:
    """KernelWarehouse's formulas, piece by piece."""
    attention = layer.attention
    h = normalised(attention.squeeze.weight @ sample.mean(dim=(1, 2)), attention.norm).clamp(min=0)
    cells = torch.cat([member.weight for member in layer.members])
    z = (attention.excite.weight @ h + attention.excite.bias).view(-1, len(cells) + 1)
    kernel = torch.zeros(layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size).double()
    c_out, c_in = cells.shape[1:]
    piece = 0
    for row in range(layer.kernel_size[0]):
        for column in range(layer.kernel_size[1]):
            for o in range(0, kernel.shape[0], c_out):
                for i in range(0, kernel.shape[1], c_in):
                    share = z[piece] / (z[piece].abs().sum() + 1e-3)
                    share = (1 - attention.temperature) * share + attention.temperature * attention.start[piece]
                    mixture = sum(s * cell for s, cell in zip(share[:-1], cells, strict=True))
                    kernel[o : o + c_out, i : i + c_in, row, column] = mixture
                    piece += 1
    return kernel, None if layer.bias is None else layer.bias[0]


KERNELS = {ODConv2d: od_kernel, DCDConv2d: dcd_kernel, KernelWarehouse2d: warehouse_kernel}


@torch.no_grad()
@pytest.mark.parametrize(('kind', 'geometry', 'options'), CASES)
def test_equals_the_definition(kind, geometry, options):
    layer, x, outputs = make(kind, geometry, options), inputs(), []
    for sample in x:
        conv = conv_of(geometry)
        kernel, bias = KERNELS[kind](layer, sample)
        conv.weight, conv.bias = nn.Parameter(kernel), None if bias is None else nn.Parameter(bias)
        outputs.append(conv(sample[None])[0])
    y = layer(x)
    torch.testing.assert_close(y, torch.stack(outputs), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x[:1]), y[:1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x[0]), y[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x.to(memory_format=torch.channels_last)), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('geometry', [geometry for geometry in GEOMETRIES if fits(DCDConv2d, geometry)], ids=str)
def test_dcd_as_one_kernel_equals_its_terms(geometry):
    layer, x = make(DCDConv2d, geometry, {}), inputs()
    terms = copy.deepcopy(layer)
    terms.training = True  # but not its normalisations
    torch.testing.assert_close(layer(x), terms(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('kind', 'geometry', 'options'), TYPICAL)
def test_gradients(kind, geometry, options, training):
    layer, x = make(kind, geometry, options).train(training), inputs(2)[:, :, :4, :3].contiguous().requires_grad_()
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def forward(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    values = [parameter.detach().requires_grad_() for parameter in parameters]
    assert torch.autograd.gradcheck(forward, (x, *values), fast_mode=True)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    ('kind', 'geometry', 'options'), [case for case in CASES if case.values[2].get('budget', 1) >= 1]
)
def test_a_warm_start_is_exact(kind, geometry, options, training):
    if kind is KernelWarehouse2d:  # which is exact at its own
        options = {name: value for name, value in options.items() if name != 'temperature'}
    layer, conv, x = make(kind, geometry, options).train(training), conv_of(geometry), inputs()
    before = {name: value.clone() for name, value in layer.named_buffers()}
    layer.load_state_dict(conv.state_dict(), strict=False)
    assert all(torch.equal(value, before[name]) for name, value in layer.named_buffers() if 'running' in name)
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-10, atol=1e-10)
    network = nn.Sequential(conv)
    at_start = {name: value for name, value in options.items() if name != 'temperature'}
    make_dynamic(network, kind, include=['*'], warm_start=True, **at_start)
    torch.testing.assert_close(network.train(training)(x), conv(x), rtol=1e-10, atol=1e-10)
    if kind is KernelWarehouse2d:
        network[0].temperature.fill_(0)  # where its kernel is all z's: a share of 0.001 / (N + 1) is missing
        torch.testing.assert_close(network(x), conv(x), rtol=0.001, atol=0.001)


@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_kernels_start_with_the_statistics_of_a_static_layer(kind, options):
    network = nn.Sequential(nn.Conv2d(64, 128, 3, padding=1))
    make_dynamic(network, kind, include=['*'], **options)
    network[0].init_weights()
    kernels = network[0].weight.detach()
    assert abs(float(kernels.std()) / (2 / (9 * 128)) ** 0.5 - 1) < 0.02
    assert abs(float(kernels.mean())) < 0.02 * float(kernels.std())
