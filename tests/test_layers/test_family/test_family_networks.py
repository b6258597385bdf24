"""DyConv2d and its relatives in a small network: checkpoints, types, formats, graphs, and what is refused."""

import copy

import pytest
import torch
from relatives import FAMILY, Block, make_network
from torch.utils.flop_counter import FlopCounterMode

from dyconv_pose.layers import CondConv2d, DCDConv2d, DyConv2d, KernelWarehouse2d, ODConv2d, make_dynamic


@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
def test_a_checkpoint_holds_everything_and_tau(kind, options):
    network, x = make_network(kind, options), torch.randn(2, 3, 16, 12)
    twin = Block()
    make_dynamic(twin, kind, **{name: value for name, value in options.items() if name != 'temperature'})
    twin.load_state_dict(network.state_dict())
    torch.testing.assert_close(twin.eval()(x), network(x))
    copied = copy.deepcopy(network)
    for parameter in network.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(copied(x), twin(x))  # a copy shares nothing with its source


@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
@pytest.mark.parametrize('training', [True, False])
def test_bfloat16_autocast_is_close(kind, options, training):
    network, x = make_network(kind, options).train(training), torch.randn(4, 3, 16, 12)
    expected = network(x)
    with torch.autocast('cpu', torch.bfloat16):
        found = network(x)
    found.float().sum().backward()
    assert (found.float() - expected).norm() < 0.1 * expected.norm()


@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
def test_channels_last_and_half_types_as_a_whole_network(kind, options):
    network, x = make_network(kind, options), torch.randn(2, 3, 16, 12)
    expected = network(x)
    channels_last = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(channels_last(x.to(memory_format=torch.channels_last)), expected)
    found = network.bfloat16()(x.bfloat16())
    assert found.dtype == torch.bfloat16 and (found - expected).norm() < 0.1 * expected.norm()


@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_a_trace_and_a_count_hold_for_any_batch(kind, options):
    network, x = make_network(kind, options).requires_grad_(False), torch.randn(5, 3, 16, 12)
    for batch in (1, 2):
        traced = torch.jit.trace(network, x[:batch], check_trace=False)
        torch.testing.assert_close(traced(x), network(x), rtol=1e-4, atol=1e-4)
    counted = []
    for batch in (1, 5):
        with FlopCounterMode(display=False) as counter:
            network(x[:batch])
        counted.append(counter.get_total_flops() / batch)
    assert counted[0] == counted[1] > 0


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
def test_an_exported_graph_takes_any_batch(kind, options, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    network, x = make_network(kind, options), torch.randn(5, 3, 16, 12)
    shapes = ({0: torch.export.Dim('batch')},)
    with torch.no_grad():
        program = torch.export.export(network, (x[:2],), dynamic_shapes=shapes, strict=False)
        torch.onnx.export(program, dynamo=True, input_names=['x']).save(str(tmp_path / 'network.onnx'))
    session = onnxruntime.InferenceSession(str(tmp_path / 'network.onnx'))
    for batch in (1, 2, 5):
        (found,) = session.run(None, {'x': x[:batch].numpy()})
        torch.testing.assert_close(torch.from_numpy(found), network(x[:batch]).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), FAMILY, ids=str)
def test_compiled_equals_eager(kind, options):
    network, x = make_network(kind, options), torch.randn(3, 3, 16, 12)
    torch._dynamo.reset()
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-4, atol=1e-4)
    compiled.train()(x).sum().backward()


def test_a_checkpoint_of_another_operator_is_refused():
    kinds = (DyConv2d, CondConv2d, ODConv2d, DCDConv2d, KernelWarehouse2d)
    state = {kind: make_network(kind, {}).state_dict() for kind in kinds}
    for kind in state:
        network = Block()
        make_dynamic(network, kind)
        for other in state:
            if other is not kind:
                with pytest.raises(ValueError, match=r'another operator.*conv_cfg'):
                    network.load_state_dict(state[other], strict=False)


def test_dcd_is_left_out_where_it_does_not_fit():
    report = make_dynamic(Block(), DCDConv2d)
    assert report.converted == ('layer1.1', 'layer1.7', 'layer1.9')
    assert 'groups=16' in report.left['layer1.4'] and 'the residual of DCD mixes all channels' in str(report)


@pytest.mark.parametrize(
    ('build', 'match'),
    [
        (lambda: ODConv2d(8, 8, 3, reduction=0), 'reduction must be positive, got 0'),
        (lambda: ODConv2d(8, 8, 3, temperature=0.0), 'temperature must be positive, got 0.0'),
        (
            lambda: ODConv2d(8, 8, 3)(torch.zeros(1, 8, 5, 5)),
            'train on 2 images per batch',
        ),
        (lambda: DCDConv2d(8, 8, 3, groups=8), 'groups=8.*leave it static'),
        (lambda: DCDConv2d(8, 8, (2, 3)), 'no centre.*leave it static'),
        (lambda: DCDConv2d(8, 8, 3, num_kernels=4), 'has no bank of kernels, got num_kernels=4'),
        (lambda: DCDConv2d(8, 8, 3, squeeze=0), 'squeeze must be at least 1, got 0'),
        (
            lambda: DCDConv2d(8, 8, 1)(torch.zeros(1, 8, 1, 1)),
            'train on 2 images per batch',
        ),
        (
            lambda: KernelWarehouse2d(8, 8, 3)(torch.zeros(2, 8, 5, 5)),
            r'build it by make_dynamic\(network',
        ),
        (lambda: KernelWarehouse2d(8, 8, 3, num_kernels=4), 'set budget'),
        (lambda: KernelWarehouse2d(8, 8, 3, temperature=30.0), 'within 0 and 1, got 30.0'),
        (lambda: KernelWarehouse2d(8, 8, 3, reduction=0), 'reduction must be positive, got 0'),
        (lambda: KernelWarehouse2d(8, 8, 3, budget=1.5), 'a whole number or one over a whole number, got 1.5'),
        (lambda: KernelWarehouse2d(8, 8, 3, warehouses=[dict(layers=['*'], budgt=2)]), "got {'layers'.*'budgt'"),
        (lambda: KernelWarehouse2d(8, 8, 3, warehouses=[dict(layers='layer1.*')]), 'has a list of layers'),
        (
            lambda: make_network(KernelWarehouse2d, dict(warehouses=[dict(layers=['layer2'])])),
            "among .* got .*'layer2'",
        ),
        (lambda: make_network(KernelWarehouse2d, dict(cell_out=0.7)), 'must cut channels .* evenly'),
        (
            lambda: make_dynamic(Block(), KernelWarehouse2d, budget=0.5, warm_start=True),
            'fewer cells than static kernels have pieces: set budget=1',
        ),
        (
            lambda: make_dynamic(
                Block(), KernelWarehouse2d, warehouses=[dict(layers=['layer1.*'], budget=0.5)], warm_start=True
            ),
            'set budget=1',
        ),
        (lambda: make_dynamic(Block(), KernelWarehouse2d, temperature=0.5, warm_start=True), 'exact at temperature=1'),
    ],
)
def test_mistakes_are_refused(build, match):
    with pytest.raises(ValueError, match=match):
        build()


def test_a_static_checkpoint_is_refused_below_a_budget_of_one():
    network = Block()
    make_dynamic(network, KernelWarehouse2d, budget=0.5)
    with pytest.raises(ValueError, match='fewer cells than static kernels have pieces: set budget=1'):
        network.load_state_dict(Block().state_dict(), strict=False)
