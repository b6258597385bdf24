"""CondConv against its definition, against timm's, and where a warm start brings it."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dyconv_pose.layers import CondConv2d

ARGUMENTS = [(6, 4, 1), (6, 4, 3, 2, 1), (6, 6, 5, 1, 2, 1, 6), (6, 4, 3, 1, 2, 2, 2, False)]


def lively(*arguments, **keywords):
    layer = CondConv2d(*arguments, **keywords).double()
    nn.init.normal_(layer.attention.routing.weight, std=3)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    return layer


def inputs(batch=3):
    return torch.randn(batch, 6, 9, 7, dtype=torch.float64) + torch.randn(batch, 6, 1, 1, dtype=torch.float64)


@pytest.mark.parametrize('batch', [0, 1, 3])
@pytest.mark.parametrize('arguments', ARGUMENTS, ids=str)
def test_equals_its_definition(arguments, batch):
    layer, x = lively(*arguments, num_kernels=5), inputs(batch)
    routing, outputs = layer.attention.routing, [torch.zeros(0)]
    for sample in x:
        pi = 1 / (1 + torch.exp(-(routing.weight @ sample.mean((1, 2)) + routing.bias)))
        weight = sum(share * kernel for share, kernel in zip(pi, layer.weight, strict=True))
        bias = None if layer.bias is None else sum(share * one for share, one in zip(pi, layer.bias, strict=True))
        g = layer.stride, layer.padding, layer.dilation, layer.groups
        outputs.append(F.conv2d(sample[None], weight, bias, *g))
    y = layer(x)
    if batch:
        torch.testing.assert_close(y, torch.cat(outputs[1:]))
    assert y.shape[1] == layer.out_channels


def test_gradients():
    layer, x = lively(4, 3, 3), torch.randn(2, 4, 5, 4, dtype=torch.float64, requires_grad=True)
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def forward(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(forward, (x, *(p.detach().requires_grad_() for p in parameters)), fast_mode=True)


@pytest.mark.parametrize('arguments', ARGUMENTS, ids=str)
def test_a_warm_start_is_exact_and_can_be_left(arguments):
    static, x = nn.Conv2d(*arguments).double(), inputs()
    layer = lively(*arguments)
    layer.load_state_dict(static.state_dict())
    torch.testing.assert_close(layer(x), static(x), rtol=0, atol=1e-12)
    layer(x).square().sum().backward()
    first, second = layer.weight.grad[:2]
    assert not torch.allclose(first, second)  # equal kernels with equal gradients would never part
    assert layer.attention.routing.weight.grad.abs().max() > 0


@pytest.fixture(scope='module')
def timm_cond_conv():
    """timm's layer from the one file that holds it: timm as a whole imports torchvision."""
    spec = importlib.util.find_spec('timm')
    if spec is None:
        pytest.skip('timm is not installed: pip install --no-deps -r requirements/benchmarks.txt')
    root, added = Path(spec.submodule_search_locations[0]), []
    for name, folder in (('timm', root), ('timm.layers', root / 'layers')):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
            added.append(name)
    from timm.layers.cond_conv2d import CondConv2d as theirs

    for name in added:
        del sys.modules[name]
    return theirs


@pytest.mark.parametrize('arguments', ARGUMENTS, ids=str)
def test_equals_timms_with_the_same_weights(timm_cond_conv, arguments):
    layer, x = lively(*arguments), inputs()
    defaults = (1, 0, 1, 1, True)  # stride, padding, dilation, groups, bias: timm's has none by default
    theirs = timm_cond_conv(*arguments, *defaults[len(arguments) - 3 :], num_experts=4).double()
    theirs.padding = layer.padding  # its constructor makes no pairs, and its forward needs them
    with torch.no_grad():
        theirs.weight.copy_(layer.weight.flatten(1))
        if layer.bias is not None:
            theirs.bias.copy_(layer.bias)
    pi = torch.sigmoid(layer.attention.routing(x.mean((2, 3))))
    torch.testing.assert_close(layer(x), theirs(x, pi))
