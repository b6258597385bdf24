"""On a GPU: what one sample after the other gives in double precision, gradients too. Skipped where there is none."""

import copy

import pytest
import torch
from torch import nn

from dyconv_pose.layers import CondConv2d, DCDConv2d, DyConv2d, ODConv2d, make_dynamic

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')

FORMATS = {'contiguous': torch.contiguous_format, 'channels_last': torch.channels_last}
OPERATORS = [DyConv2d, CondConv2d, ODConv2d, DCDConv2d]
#: Arguments of nn.Conv2d, to groups.
LAYERS = {
    'pointwise': (8, 16, 1),
    'pointwise, stride 2': (8, 16, 1, 2),
    'depthwise': (8, 8, 3, 1, 1, 1, 8),
    'wide depthwise, stride 2': (8, 8, 5, 2, 2, 1, 8),
    'dense': (8, 12, 3, 1, 1),
    'groups, dilated': (8, 12, 3, 1, 2, 2, 4),
}


@pytest.fixture(autouse=True)
def full_precision():
    """Without TF32, which keeps ten bits; matrix products are without it by default."""
    torch.manual_seed(0)
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


def outputs(layer, x, one_by_one=False):
    """The output, and the gradients of the input and all parameters."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = torch.cat([layer(sample) for sample in x.split(1)]) if one_by_one else layer(x)
    parameters = dict(layer.named_parameters())
    weights = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).to(y).view(y.shape)
    gradients = torch.autograd.grad((y * weights).sum(), [x, *parameters.values()])
    return dict(zip(['y', 'x', *parameters], [y, *gradients], strict=True))


def reference(layer, x):
    return outputs(copy.deepcopy(layer).cpu().double(), x.cpu().double().contiguous(), one_by_one=True)


def assert_near(found, expected, rtol):
    for name, one in found.items():
        limit = rtol * float(expected[name].abs().max()) + 1e-12
        torch.testing.assert_close(one.cpu().double(), expected[name], rtol=0, atol=limit, msg=name)


@pytest.mark.parametrize('batch', [1, 2, 5])
@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('name', LAYERS)
@pytest.mark.parametrize('operator', OPERATORS)
def test_equals_one_sample_after_the_other(operator, name, memory_format, batch):
    if reason := operator.misfit(nn.Conv2d(*LAYERS[name])):
        pytest.skip(reason)
    layer = operator(*LAYERS[name]).eval()  # a relative normalises within: over the batch in training
    x = torch.randn(batch, 8, 10, 9).to(memory_format=FORMATS[memory_format])
    expected = reference(layer, x)
    assert_near(outputs(layer.cuda(), x.cuda()), expected, 1e-4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', LAYERS)
def test_mixed_precision(name, dtype):
    layer, x = DyConv2d(*LAYERS[name]), torch.randn(3, 8, 10, 9)
    expected = reference(layer, x)
    with torch.autocast('cuda', dtype):
        y = layer.cuda()(x.cuda())
    assert y.dtype == dtype
    assert_near(dict(y=y), expected, 0.02)


def test_an_empty_batch():
    assert DyConv2d(8, 16, 3).cuda()(torch.empty(0, 8, 10, 9, device='cuda')).shape == (0, 16, 8, 7)


def test_a_network_trains_and_deploys():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, 1, 1, 1, 8))
    network.extend([nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)])
    make_dynamic(network)
    network.cuda()
    optimizer, x = torch.optim.SGD(network.parameters(), 0.1), torch.randn(4, 3, 12, 10, device='cuda')
    losses = []
    for _ in range(20):
        losses.append(network(x).square().mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2
    network.eval()
    to_deploy = pytest.importorskip('dyconv_pose.deploy').to_deploy
    with torch.no_grad():
        for batch in (1, 4):
            expected = network(x[:batch])
            torch.testing.assert_close(to_deploy(network)(x[:batch]), expected, rtol=1e-4, atol=1e-5)
