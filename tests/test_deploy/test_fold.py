"""The deployed layers and networks against the trained ones, in float64."""

import shutil

import pytest
import torch
from mmcv.cnn import ConvModule
from mmpose.registry import MODELS
from small_network import CONV_CFG, stir
from torch import nn

from dyconv_pose.deploy import to_deploy
from dyconv_pose.deploy.fold import PURPOSES, DeployedConv2d, store_weights, stored
from dyconv_pose.layers import DyConv2d, dynamic_layers

NETWORKS = {
    'mobilenetv2': dict(type='DyMobileNetV2', widen_factor=0.35),
    'mobilenetv3-small': dict(type='DyMobileNetV3', arch='small'),
    'mobilenetv3-s16': dict(type='DyMobileNetV3', arch='small-s16'),
    'resnet10': dict(type='DyResNet', depth=10, base_channels=16, stem_channels=16, dynamic_convs=['layer[14].*']),
    'resnet50': dict(type='DyResNet', depth=50, base_channels=8, stem_channels=8),
    'head-b': dict(type='BottleneckHead', in_channels=32, out_channels=5, stage_out_channels=(24, 16),
                   stage_hidden_channels=((None, 32), (16,))),
    'head-a': dict(type='HeatmapHead', in_channels=32, out_channels=5, deconv_out_channels=(16, 16),
                   deconv_kernel_sizes=(4, 4)),
}  # fmt: skip


def network_and_input(name, batch=3):
    cfg = dict(NETWORKS[name])
    if name != 'head-a':
        cfg['conv_cfg'] = CONV_CFG
    network = stir(MODELS.build(cfg).double())
    if 'head' in name:
        return network, (torch.randn(batch, 32, 5, 4, dtype=torch.float64),)
    return network, torch.randn(batch, 3, 64, 48, dtype=torch.float64)


def last(outputs):
    return outputs[-1] if isinstance(outputs, tuple) else outputs


def distance(found, expected):
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


@pytest.mark.parametrize('name', NETWORKS)
@torch.no_grad()
def test_deployed_networks_are_the_same_function(name):
    network, x = network_and_input(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    expected = last(network(x))
    assert expected.std() > 1e-3
    for plan in PURPOSES:
        deployed = to_deploy(network, plan)
        assert distance(last(deployed(x)), expected) < 1e-12
        assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
        assert not list(dynamic_layers(deployed)) and not any(p.requires_grad for p in deployed.parameters())
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    'arguments',
    [
        (8, 6, 1),
        (8, 6, 1, 2),
        (8, 6, 3, 2, 1),
        (8, 6, (3, 5), (1, 2), (1, 2), (2, 1)),
        (8, 8, 3, 1, 1, 1, 8),
        (8, 16, 5, 2, 2, 1, 8),
        (8, 4, 3, 1, 1, 1, 2),
        (8, 6, 3, 1, 'same', 2, 1, True),
        (8, 6, (2, 3), 1, 'same', 1, 2, True),
        (8, 6, 3, 1, 1, 1, 1, True, 'reflect'),
        (8, 8, 3, 2, (0, 1), 1, 8, False, 'circular'),
    ],
    ids=str,
)
@torch.no_grad()
def test_every_geometry_run_exported_and_traced(arguments):
    layer = DyConv2d(*arguments, num_kernels=3, temperature=0.7).double()
    nn.init.normal_(layer.attention.excite.weight, std=3)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    scale, shift = torch.randn(2, layer.out_channels, dtype=torch.float64)
    x = torch.randn(5, 8, 9, 7, dtype=torch.float64)
    expected = torch.cat([layer(one[None]) for one in x]) * scale[:, None, None] + shift[:, None, None]
    for split in (False, True):
        deployed = DeployedConv2d(layer, scale, shift, split)
        program = torch.export.export(deployed, (x,), dynamic_shapes=({0: torch.export.Dim('batch')},), strict=False)
        runs = deployed, program.module(), torch.jit.trace(deployed, x[:1])
        for batch in (1, 5):
            for run in runs:
                assert distance(run(x[:batch]), expected[:batch]) < 1e-12, (split, batch)


def test_transposed_convolutions_with_groups_fold():
    for groups in (1, 2):
        network = stir(nn.Sequential(nn.ConvTranspose2d(8, 6, 4, 2, 1, groups=groups), nn.BatchNorm2d(6)).double())
        x = torch.randn(2, 8, 5, 4, dtype=torch.float64)
        deployed = to_deploy(network)
        assert isinstance(deployed[1], nn.Identity) or groups > 1  # which PyTorch does not fold
        assert distance(deployed(x), network(x)) < 1e-12


def test_a_normalisation_before_its_convolution_is_not_folded():
    block = ConvModule(4, 4, 3, norm_cfg=dict(type='BN'), order=('norm', 'act', 'conv'))
    stir(block.double())
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    deployed = to_deploy(block)
    assert any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
    assert distance(deployed(x), block(x)) < 1e-12


@pytest.mark.parametrize('name', ['head-a', 'head-b'])
def test_what_stays_in_torch_is_channels_last(name):
    network, x = network_and_input(name)
    deployed = to_deploy(network)
    assert deployed(x).is_contiguous(memory_format=torch.channels_last)
    assert to_deploy(network, 'any_batch')(x).is_contiguous()
    assert distance(deployed(x), network(x)) < 1e-12


def test_a_layer_alone_is_deployed():
    layer = DyConv2d(4, 4, 3)
    assert isinstance(to_deploy(layer), DeployedConv2d)


@pytest.mark.parametrize('plan', PURPOSES)
@pytest.mark.parametrize('name', ['resnet10', 'head-b', 'head-a'])
def test_torch_export(name, plan):
    check_torch_export(name, plan)


@pytest.mark.slow
@pytest.mark.parametrize('plan', PURPOSES)
@pytest.mark.parametrize('name', sorted(set(NETWORKS) - {'resnet10', 'head-b', 'head-a'}))
def test_torch_export_of_the_others(name, plan):
    check_torch_export(name, plan)


def check_torch_export(name, plan):
    network, x = network_and_input(name, batch=1 if plan == 'batch_1' else 2)
    deployed = to_deploy(network, plan)
    free = None if plan == 'batch_1' else {0: torch.export.Dim('batch')}
    shapes = ((free,),) if isinstance(x, tuple) else (free,)
    program = torch.export.export(deployed, (x,), dynamic_shapes=shapes, strict=False).module()
    for batch in (1,) if plan == 'batch_1' else (1, 2, 7):
        _, x = network_and_input(name, batch)
        assert distance(last(program(x)), last(network(x))) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize('name', NETWORKS)
def test_torch_compile_without_graph_breaks(name):
    check_torch_compile(name, 'aot_eager')


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ('g++', 'clang++'))), reason='inductor needs a C++ compiler')
@pytest.mark.parametrize('name', ['head-a', 'head-b', 'resnet10'])
def test_torch_compile_by_inductor(name):
    check_torch_compile(name, 'inductor')


def check_torch_compile(name, backend):
    network, x = network_and_input(name)
    torch._dynamo.reset()
    compiled = torch.compile(to_deploy(network), fullgraph=True, backend=backend)
    assert distance(last(compiled(x)), last(network(x))) < 1e-12


@pytest.mark.parametrize('plan', PURPOSES)
@torch.no_grad()
def test_weights_in_fewer_bits(plan):
    """Stored weights against those that they stand for, computed with in the plain network."""
    for name in ('resnet10', 'head-b', 'head-a'):
        network, x = network_and_input(name)
        expected = last(network(x))
        for storage, least, most in (('float16', 1e-5, 5e-3), ('int8', 1e-3, 0.2)):
            deployed = store_weights(to_deploy(network, plan), storage)
            assert least < distance(last(deployed(x)), expected) < most
            large = [value for value in deployed.state_dict().values() if value.numel() > 300]
            assert large and {value.dtype for value in large} == {getattr(torch, storage)}
    with pytest.raises(ValueError, match="one of float32, float16, int8, got 'int4'"):
        store_weights(deployed, 'int4')


@pytest.mark.parametrize('axis', [0, 1])
def test_int8_is_within_half_a_step(axis):
    weight = torch.randn(4, 5, 3) * torch.logspace(-3, 3, (4, 5)[axis]).reshape([-1, 1, 1] if axis == 0 else [-1, 1])
    found, scale = stored(weight, 'int8', axis)
    assert scale.numel() == (4, 5)[axis] and int(found.abs().max()) == 127
    assert ((found * scale - weight).abs() <= scale * 0.501).all()


@pytest.mark.parametrize('plan', PURPOSES)
@pytest.mark.parametrize('conv', ['ConvWS', 'ConvAWS'])
def test_convolutions_that_normalise_their_kernels_keep_their_normalisation(conv, plan):
    network = stir(ConvModule(4, 8, 3, conv_cfg=dict(type=conv), norm_cfg=dict(type='BN')).double())
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(to_deploy(network, plan)(x), network(x), rtol=0, atol=1e-9)


def test_a_convolution_in_two_places_with_a_normalisation_each():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            conv = nn.Conv2d(3, 4, 1)
            self.a, self.b = nn.Sequential(conv, nn.BatchNorm2d(4)), nn.Sequential(conv, nn.BatchNorm2d(4))

        def forward(self, x):
            return self.a(x) - self.b(x)

    network, x = stir(Twice().double()), torch.randn(2, 3, 5, 4, dtype=torch.float64)
    expected = network(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(to_deploy(network)(x), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize('batch', [1, 3])
def test_one_sample_without_batch_dimension(batch):
    layer, x = stir(DyConv2d(4, 4, 3).double()), torch.randn(batch, 4, 8, 8, dtype=torch.float64)
    deployed = to_deploy(layer, 'batch_1')
    torch.testing.assert_close(deployed(x), layer(x), rtol=0, atol=1e-9)
    torch.testing.assert_close(deployed(x[0]), layer(x[0]), rtol=0, atol=1e-9)


def test_mistakes():
    with pytest.raises(ValueError, match="purpose must be one of .*, got 'cuda'"):
        to_deploy(nn.Conv2d(1, 1, 1), 'cuda')
