"""Every form of running a dynamic convolution against one sample after the other in double precision."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.forced_form import forced_form
from dyconv_pose.layers import DyConv2d, Geometry
from dyconv_pose.layers.cpu import tile_forms
from dyconv_pose.layers.cpu.tiles import convolve_tiled
from dyconv_pose.layers.dynamic_conv import convolve_mixture
from dyconv_pose.layers.forms import FORMS, choose_form

FORMATS = {'contiguous': torch.contiguous_format, 'channels_last': torch.channels_last}
CHANNELS = 6

#: (kernel shape, stride, padding, dilation, groups)
GEOMETRIES = {
    'pointwise': Geometry((4, 6, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    'pointwise, stride 2': Geometry((4, 6, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    'pointwise, padded': Geometry((4, 6, 1, 1), (1, 1), (1, 0), (1, 1), 1),
    'depthwise': Geometry((6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),
    'depthwise, stride 2': Geometry((6, 1, 3, 3), (2, 2), (1, 1), (1, 1), 6),
    'wide depthwise': Geometry((6, 1, 5, 5), (1, 1), (2, 2), (1, 1), 6),
    'wide depthwise, stride 2': Geometry((6, 1, 5, 5), (2, 2), (2, 2), (1, 1), 6),
    'wider than high': Geometry((6, 1, 3, 7), (1, 1), (0, 3), (1, 1), 6),
    'two outputs a channel': Geometry((12, 1, 5, 5), (1, 1), (2, 2), (1, 1), 6),
    'dense': Geometry((4, 6, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    'dense, uneven': Geometry((4, 6, 3, 2), (2, 1), (0, 2), (1, 2), 1),
    'groups': Geometry((4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 2),
}


def operands(geometry: Geometry, batch: int = 5, kernels: int = 3, memory_format: str = 'contiguous'):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    x = draw(batch, CHANNELS, 9, 7).contiguous(memory_format=FORMATS[memory_format])
    attention = torch.softmax(draw(batch, kernels), dim=1)
    tensors = (x, attention, draw(kernels, *geometry.kernel_shape), draw(kernels, geometry.kernel_shape[0]))
    return [tensor.requires_grad_() for tensor in tensors]


def one_by_one(x, attention, bank, bias, geometry: Geometry):
    outputs = []
    for sample, shares in zip(x, attention, strict=True):
        weight = sum(share * kernel for share, kernel in zip(shares, bank, strict=True))
        shift = sum(share * one for share, one in zip(shares, bias, strict=True))
        g = geometry
        outputs.append(F.conv2d(sample[None], weight, shift, g.stride, g.padding, g.dilation, g.groups))
    return torch.cat(outputs)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('form', [None, *FORMS])
@pytest.mark.parametrize('geometry', GEOMETRIES.values(), ids=GEOMETRIES)
def test_all_forms_are_the_same_function(geometry, form, memory_format):
    tensors = operands(geometry, memory_format=memory_format)
    expected = one_by_one(*tensors, geometry)
    grad = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad(expected, tensors, grad)
    with forced_form(form):
        y = convolve_mixture(*tensors, geometry)
        found = torch.autograd.grad(y, tensors, grad)
    torch.testing.assert_close(y, expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('shared', [0, 800, tile_forms.SHARED])  # samples in a call: one, two, all
@pytest.mark.parametrize('tile', [70, tile_forms.TILE])  # 70: a sample or two, a channel or two
@pytest.mark.parametrize('form', ['by_sample', 'by_channel'])
@pytest.mark.parametrize('name', ['pointwise', 'pointwise, stride 2', 'wide depthwise', 'dense, uneven', 'groups'])
def test_tiles_of_any_size_are_the_same_function(monkeypatch, name, form, memory_format, tile, shared):
    geometry = GEOMETRIES[name]
    monkeypatch.setattr(tile_forms, 'TILE', tile)
    monkeypatch.setattr(tile_forms, 'SHARED', shared)
    tensors = operands(geometry, memory_format=memory_format)
    expected = one_by_one(*tensors, geometry)
    with forced_form(form):
        y = convolve_mixture(*tensors, geometry)
        found = torch.autograd.grad(y.square().sum(), tensors)
    torch.testing.assert_close(y, expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found, torch.autograd.grad(expected.square().sum(), tensors), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('stride', [(1, 1), (2, 2), (1, 3), (3, 2)])
@pytest.mark.parametrize('kernel', [(5, 5), (3, 7), (1, 4), (7, 9)])
def test_strips_of_a_wide_depthwise_gradient_are_the_gradient(kernel, stride):
    rows, columns = kernel
    geometry = Geometry((8, 1, rows, columns), stride, (rows // 2, columns // 2), (1, 1), 8)
    x = torch.randn(1, 8, 11, 13, dtype=torch.float64)
    x[..., -1] = 1e6  # what comes round at the edge would be seen
    weight = torch.randn(geometry.kernel_shape, dtype=torch.float64, requires_grad=True)
    y = F.conv2d(x, weight, None, stride, geometry.padding, 1, 8)
    grad = torch.randn_like(y)
    expected = torch.autograd.grad(y, weight, grad)[0]
    torch.testing.assert_close(tile_forms.depthwise_gradient(grad, x, geometry), expected, rtol=1e-9, atol=1e-6)


def test_gradients_can_be_differentiated():
    geometry = Geometry((6, 1, 1, 5), (1, 1), (0, 2), (1, 1), 6)
    *tensors, _ = operands(geometry, batch=2, kernels=2)
    tensors[0] = tensors[0].detach()[:, :, :2, :3].contiguous().requires_grad_()
    assert choose_form(tensors[0], geometry) == 'by_sample'
    assert torch.autograd.gradgradcheck(lambda *t: convolve_mixture(*t, None, geometry), tensors, fast_mode=True)


@pytest.mark.parametrize('form', ['by_sample', 'by_channel'])
def test_the_operators_keep_pytorchs_rules(form):
    geometry = GEOMETRIES['dense, uneven']
    x, attention, bank, _ = operands(geometry, memory_format='channels_last')
    g = geometry
    arguments = (x, attention, bank, list(g.stride), list(g.padding), list(g.dilation), g.groups, form)
    torch.library.opcheck(convolve_tiled, arguments)


def test_no_kernels_of_samples_wait_for_the_backward_pass():
    kept = []
    for arguments in ((32, 32, 1), (32, 32, 5, 1, 2, 1, 32), (32, 32, 3, 1, 1)):
        layer = DyConv2d(*arguments, bias=False)
        x = torch.randn(16, 32, 4, 4, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            layer(x).sum()
        assert max(kept) == max(x.numel(), layer.weight.numel())


@pytest.mark.parametrize(
    ('arguments', 'memory_format'), [((8, 8, 1), 'channels_last'), ((8, 8, 5, 1, 2, 1, 8), 'contiguous')]
)
def test_one_graph_under_compile(arguments, memory_format):
    torch._dynamo.reset()
    layer = DyConv2d(*arguments).double()
    x = torch.randn(3, 8, 6, 5, dtype=torch.float64).contiguous(memory_format=FORMATS[memory_format]).requires_grad_()
    compiled = torch.compile(layer, fullgraph=True, backend='aot_eager')
    expected, found = layer(x), compiled(x)
    torch.testing.assert_close(found, expected)
    parameters = (x, *layer.parameters())
    gradients = torch.autograd.grad(found.square().sum(), parameters)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected.square().sum(), parameters))


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('arguments', [(8, 16, 1), (8, 8, 5, 1, 2, 1, 8), (8, 16, 3, 1, 1)])
def test_bfloat16_under_autocast(arguments, memory_format):
    torch.manual_seed(0)
    layer = DyConv2d(*arguments, temperature=1)
    x = torch.randn(4, 8, 12, 10).contiguous(memory_format=FORMATS[memory_format]).requires_grad_()
    parameters = (x, *layer.parameters())
    with torch.autocast('cpu', torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    found = torch.autograd.grad(y.float().square().mean(), parameters)
    expected = torch.autograd.grad(layer(x).square().mean(), parameters)
    for got, want, parameter in zip(found, expected, parameters, strict=True):
        assert got.dtype == parameter.dtype
        torch.testing.assert_close(got, want, rtol=0, atol=0.1 * want.abs().max().item())


def test_the_output_keeps_the_memory_format():
    for form in ('by_sample', 'by_channel'):
        for name in ('pointwise', 'dense'):
            x, attention, bank, bias = operands(GEOMETRIES[name], memory_format='channels_last')
            with forced_form(form):
                y = convolve_mixture(x, attention, bank, bias, GEOMETRIES[name])
            assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ('name', 'batch', 'size', 'form'),
    [
        ('pointwise', 1, (64, 48), 'single'),
        ('depthwise', 0, (64, 48), 'single'),
        ('pointwise', 2, (64, 48), 'by_channel'),
        ('depthwise', 2, (64, 48), 'grouped'),
        ('dense', 2, (64, 48), 'by_sample'),
        ('dense', 2, (8, 6), 'by_channel'),
        ('groups', 2, (8, 6), 'by_sample'),
    ],
)
def test_the_rule(name, batch, size, form):
    assert choose_form(torch.empty(batch, CHANNELS, *size), GEOMETRIES[name]) == form


def test_the_rule_for_depthwise_batches():
    x, wide = torch.empty(2, CHANNELS, 8, 6), GEOMETRIES['wide depthwise']
    assert choose_form(x.to(memory_format=torch.channels_last), GEOMETRIES['depthwise']) == 'by_sample'
    assert choose_form(x, wide) == 'by_sample'  # whose gradient tiles are quick at
    with torch.no_grad():
        assert choose_form(x, wide) == 'grouped'


def test_the_rule_for_products_and_other_devices():
    pointwise, strided = (Geometry((128, 512, 1, 1), (step, step), (0, 0), (1, 1), 1) for step in (1, 2))
    assert choose_form(torch.empty(2, 512, 64, 48), pointwise) == 'by_channel'
    assert choose_form(torch.empty(2, 512, 32, 24), strided) == 'by_channel'
    assert choose_form(torch.empty(2, 512, 64, 48, device='meta'), pointwise) == 'product'
    assert choose_form(torch.empty(2, CHANNELS, 8, 6, device='meta'), GEOMETRIES['dense']) == 'grouped'


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('name', ['pointwise', 'depthwise, stride 2', 'dense, uneven', 'groups'])
def test_counters_of_flops_see_the_tiles(name, memory_format):
    """Forward B times those of one sample, which runs as PyTorch's own operators; backward as counted by hand."""
    geometry = GEOMETRIES[name]

    def flops(batch):
        tensors = operands(geometry, batch=batch, memory_format=memory_format)
        with forced_form('by_sample' if 'depthwise' in name else None), FlopCounterMode(display=False) as forward:
            y = convolve_mixture(*tensors, geometry)
        with FlopCounterMode(display=False) as backward:
            y.sum().backward()
        return forward.get_total_flops(), backward.get_total_flops()

    (forward, backward), (one, _) = flops(3), flops(1)
    assert forward == 3 * one > 0
    positions = math.prod(geometry.output_size(torch.empty(1, CHANNELS, 9, 7)))
    kernels = 3  # K, which counts once for mixing again and twice for its gradients
    bias = 2 * 2 * 3 * kernels * geometry.kernel_shape[0]
    assert backward == 2 * 3 * math.prod(geometry.kernel_shape) * (3 * kernels + 2 * positions) + bias
