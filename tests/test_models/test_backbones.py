"""The networks against MMPose's own and against the paper's parameter counts."""

import pytest
import torch
from mmpose.registry import MODELS
from torch import nn

from dyconv_pose.layers import DyConv2d, dynamic_layers
from dyconv_pose.models import DyMobileNetV2, DyMobileNetV3, DyResNet

CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

#: Config of MMPose's network, and the names of the convolutions that the paper leaves static.
NETWORKS = {
    'mobilenetv2-x1.0': (dict(type='MobileNetV2', widen_factor=1.0), ('conv1.', 'conv2.')),
    'mobilenetv2-x0.35': (dict(type='MobileNetV2', widen_factor=0.35), ('conv1.', 'conv2.')),
    'mobilenetv3-small': (dict(type='MobileNetV3', arch='small'), ('conv1.', '.se.')),
    'mobilenetv3-big': (dict(type='MobileNetV3', arch='big'), ('conv1.', '.se.')),
    'resnet18': (dict(type='ResNet', depth=18), ('conv1', '.downsample.')),
    'resnet50': (dict(type='ResNet', depth=50), ('conv1', '.downsample.')),
}


def build(cfg, **kwargs):
    return MODELS.build({**cfg, **kwargs})


def dynamic_of(cfg):
    return {**cfg, 'type': 'Dy' + cfg['type']}


@pytest.mark.parametrize('name', NETWORKS)
def test_static_twin_is_mmpose_network(name):
    cfg, _ = NETWORKS[name]
    theirs, ours = build(cfg), build(dynamic_of(cfg), conv_cfg=None)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    ours.load_state_dict(theirs.state_dict())
    ours.eval(), theirs.eval()
    x = torch.randn(1, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(ours(x), theirs(x), strict=True))


@pytest.mark.parametrize('name', NETWORKS)
def test_dynamic_exactly_where_the_paper_is(name):
    cfg, static = NETWORKS[name]
    with torch.device('meta'):
        twin, network = build(cfg), build(dynamic_of(cfg), conv_cfg=CONV_CFG)
    convs = {n for n, module in twin.named_modules() if isinstance(module, nn.Conv2d)}
    if cfg['type'] == 'ResNet':
        expected = {n for n in convs if n != 'conv1' and '.downsample.' not in n}
    else:
        expected = {n for n in convs if not any(part in n for part in static)}
    assert {n for n, _ in dynamic_layers(network)} == expected
    # and the geometry is that of the static layer
    for n, layer in dynamic_layers(network):
        conv = twin.get_submodule(n)
        for attribute in ('kernel_size', 'stride', 'padding', 'dilation', 'groups', 'in_channels', 'out_channels'):
            assert getattr(layer, attribute) == getattr(conv, attribute)
        assert layer.weight.shape == (4, *conv.weight.shape)


# Backbone parameters in millions that reproduce the paper's printed totals.
@pytest.mark.parametrize(
    ('cfg', 'static', 'dynamic'),
    [
        (dict(type='DyMobileNetV2', widen_factor=1.0), 2.22, 9.87),
        (dict(type='DyMobileNetV2', widen_factor=0.5), 0.69, 2.67),
        (dict(type='DyResNet', depth=18), 11.18, 44.93 - 0.513),
        (dict(type='DyResNet', depth=10), 4.91, 19.69 - 0.513),
    ],
    ids=str,
)
def test_parameter_counts(cfg, static, dynamic):
    def millions(network):
        return sum(p.numel() for p in network.parameters()) / 1e6

    with torch.device('meta'):
        assert millions(build(cfg, conv_cfg=None)) == pytest.approx(static, abs=0.006)
        assert millions(build(cfg)) == pytest.approx(dynamic, abs=0.006)


@pytest.mark.parametrize('name', ['mobilenetv2-x1.0', 'mobilenetv3-small', 'resnet18'])
def test_kernels_start_as_the_static_ones_do(name):
    cfg, _ = NETWORKS[name]
    static, network = build(cfg), build(dynamic_of(cfg), conv_cfg=CONV_CFG)
    static.init_weights(), network.init_weights()
    for n, layer in dynamic_layers(network):
        expected = static.get_submodule(n).weight
        if expected.numel() < 2000:
            continue  # too few draws to compare their spread
        for kernel in layer.weight:
            assert kernel.std().item() == pytest.approx(expected.std().item(), rel=0.12), n


def test_kernels_follow_the_networks_own_initialisers():
    init_cfg = [dict(type='Normal', layer=['Conv2d'], std=0.5)]
    network = build(dict(type='DyResNet', depth=10, init_cfg=init_cfg), conv_cfg=CONV_CFG)
    network.init_weights()
    for _, layer in dynamic_layers(network):
        assert layer.weight.std().item() == pytest.approx(0.5, rel=0.02)


def test_frozen_stages_stay_frozen():
    network = build(dict(type='DyMobileNetV2', frozen_stages=2), conv_cfg=CONV_CFG)
    network.train()
    assert not any(p.requires_grad for p in network.layer2.parameters())
    assert all(p.requires_grad for p in network.layer3.parameters())


def test_checkpointed_blocks_have_the_same_gradients():
    cfg = dict(type='DyMobileNetV3', arch='small', conv_cfg=CONV_CFG)
    plain, checkpointed = build(cfg), build(cfg, with_cp=True)
    checkpointed.load_state_dict(plain.state_dict())
    gradients = []
    for network in (plain, checkpointed):
        network.train()
        network(torch.ones(2, 3, 64, 64, requires_grad=True))[-1].square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_unknown_layer_argument_is_refused():
    with pytest.raises(TypeError, match='num_kernel'):
        build(dict(type='DyMobileNetV2'), conv_cfg=dict(type='DyConv2d', num_kernel=4))


def test_conv_cfg_reaches_any_mmcv_network():
    with torch.device('meta'):
        network = build(dict(type='ResNet', depth=18), conv_cfg=CONV_CFG)
    assert sum(1 for _ in dynamic_layers(network)) == 20  # the stem and the projections too
    assert isinstance(network.conv1, DyConv2d)


def test_small_s16_is_small_without_its_last_stage():
    whole = build(dict(type='MobileNetV3', arch='small', out_indices=(7,)))
    ours = build(dict(type='DyMobileNetV3', arch='small-s16', conv_cfg=None))
    ours.load_state_dict({key: value for key, value in whole.state_dict().items() if key in ours.state_dict()})
    ours.eval(), whole.eval()
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(ours(x)[0], whole(x)[0])
    assert ours(x)[0].shape == (1, 48, 4, 4)


def test_without_arguments_they_are_the_papers():
    network = DyMobileNetV2()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(9.87, abs=0.006)
    layers = [layer for _, layer in dynamic_layers(network)]
    assert {(layer.num_kernels, float(layer.temperature)) for layer in layers} == {(4, 30.0)}
    assert all(layer.attention.squeeze.out_features == max(layer.in_channels // 4, 1) for layer in layers)
    assert {type(layer) for _, layer in dynamic_layers(DyMobileNetV3())} == {DyConv2d}


def test_arguments_by_position_are_mmposes():
    with torch.device('meta'):
        assert sum(1 for _ in dynamic_layers(DyResNet(18))) == 16
        half = DyMobileNetV2(0.5, (6,), -1, None)  # the fourth is conv_cfg
    assert not list(dynamic_layers(half))
    assert half.out_indices == (6,)
    with pytest.raises(TypeError):
        DyResNet(18, depth=18)


@pytest.mark.parametrize('conv_cfg', [None, CONV_CFG])
def test_tensorflows_padding(conv_cfg):
    """An odd image needs padding on both sides alike, where TensorFlow's padding is PyTorch's; an even one does not."""
    cfg = dict(type='DyMobileNetV2', conv_cfg=conv_cfg, out_indices=(1,))
    ours, theirs = build(cfg, padding='same'), build(cfg)
    ours.load_state_dict(theirs.state_dict())
    ours.eval(), theirs.eval()
    odd, even = torch.randn(1, 3, 33, 33), torch.randn(1, 3, 32, 32)
    assert torch.equal(ours(odd)[0], theirs(odd)[0])
    assert not torch.allclose(ours(even)[0], theirs(even)[0])


def test_last_channels():
    network = build(dict(type='DyMobileNetV2', conv_cfg=None, widen_factor=1.75, last_channels=1280))
    assert network(torch.randn(2, 3, 32, 32))[0].shape == (2, 1280, 1, 1)
    with pytest.raises(ValueError, match="padding must be 'symmetric' or 'same', got 'full'"):
        build(dict(type='DyMobileNetV2', padding='full'))
