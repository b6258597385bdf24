"""What tracers, exporters and counters of FLOPs make of dynamic layers at one batch size holds at every other."""

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from dyconv_pose.layers import CondConv2d, DCDConv2d, DyConv2d, KernelWarehouse2d, ODConv2d, make_dynamic

#: Pointwise, depthwise, dense and grouped layers.
ARGUMENTS = [(8, 8, 1), (8, 8, 3, 2, 1, 1, 8), (8, 8, 3, 1, 1), (8, 8, 3, 1, 1, 1, 4)]


@pytest.fixture(params=['contiguous', 'channels_last'])
def features(request):
    torch.manual_seed(0)
    x = torch.randn(8, 8, 12, 10)
    return x.contiguous(memory_format=torch.channels_last) if request.param == 'channels_last' else x


@pytest.fixture(params=[DyConv2d, CondConv2d, ODConv2d, DCDConv2d, KernelWarehouse2d])
def network(request):
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Conv2d(*arguments) for arguments in ARGUMENTS))
    make_dynamic(network, request.param, include=['*'])
    network.eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    for buffer in (buffer for name, buffer in network.named_buffers() if name.endswith('temperature')):
        buffer.fill_(1.0)
    return network


@torch.no_grad()
def outputs(network, x):
    """Sample by sample; they differ by more than rounding does."""
    expected = torch.cat([network(sample) for sample in x.split(1)])
    assert (expected[0] - expected[1]).abs().max() > 0.01 * expected.abs().max()
    return expected


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@torch.no_grad()
def test_a_trace_of_one_sample(network, features):
    expected, traced = outputs(network, features), torch.jit.trace(network, features[:1])
    for size in (1, 2, 8):
        assert_equal(traced(features[:size]), expected[:size])


@torch.no_grad()
def test_a_graph_of_fx_is_right_or_fails(network, features):
    """It can't be told from a run; what it recorded of a batch of one must not run on others."""
    expected, graph = outputs(network, features), make_fx(network)(features[:1])
    assert_equal(graph(features[:1]), expected[:1])
    for size in (2, 8):
        try:
            found = graph(features[:size])
        except RuntimeError:
            continue
        assert_equal(found, expected[:size])


@pytest.mark.parametrize('features', ['contiguous'], indirect=True)
def test_an_exported_program(network, features):
    expected, shapes = outputs(network, features), ({0: torch.export.Dim('batch')},)
    exported = torch.export.export(network, (features[:2],), dynamic_shapes=shapes).module()
    for size in (1, 2, 8):
        assert_equal(exported(features[:size]), expected[:size])
    one = torch.export.export(network, (features[:1],))
    assert_equal(one.module()(features[:1]), expected[:1])


def test_counters_of_flops_agree(network, features):
    """PyTorch's, and one that traces, as fvcore's does, of which MMEngine's is a copy."""
    analysis = pytest.importorskip('mmengine.analysis')

    def per_sample(batch):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(features[:batch])
        return counter.get_total_flops() / batch / 2

    traced = analysis.FlopAnalyzer(network, (features,))
    traced.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    # DCD and KernelWarehouse do a few things once for the whole batch.
    assert per_sample(8) == pytest.approx(per_sample(1), rel=0.01)
    assert traced.total() / 8 == pytest.approx(per_sample(1), rel=0.01)
