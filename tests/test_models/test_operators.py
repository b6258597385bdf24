"""CondConv and an operator of a user's own in MMPose's networks: whatever deals with dynamic layers takes them."""

import pytest
import torch
from analysis_tools.costs.counter import count
from mmcv.cnn import ConvModule
from mmengine.registry import MODELS as ROOT_MODELS
from mmpose.registry import MODELS
from small_network import stir
from torch import nn

from dyconv_pose.deploy import to_deploy
from dyconv_pose.deploy.fold import PURPOSES, DeployedConv2d, store_weights
from dyconv_pose.engine.attention import AttentionLogHook, set_temperature
from dyconv_pose.layers import CondConv2d, DyConv2d, aggregate, dynamic_layers


class HalvedConv2d(DyConv2d):
    """An operator that is no mixture of its bank alone: kernels are halved where the image is dark."""

    def aggregate(self, attention, bank):
        factor = 1 - attention[:, 0] / 2
        return aggregate(attention, bank) * factor.view(-1, *[1] * (bank.dim() - 1))


ROOT_MODELS.register_module(module=HalvedConv2d, force=True)
CONV_CFGS = [dict(type='CondConv2d', num_kernels=3), dict(type='HalvedConv2d', num_kernels=3, temperature=2.0)]


def network(conv_cfg, **options):
    cfg = dict(type='DyResNet', depth=10, base_channels=16, stem_channels=16, conv_cfg=conv_cfg, **options)
    network = stir(MODELS.build(cfg).double())
    for _, layer in dynamic_layers(network):
        for parameter in layer.attention.parameters():
            nn.init.normal_(parameter)
    return network


def distance(found, expected):
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


@pytest.mark.parametrize('conv_cfg', CONV_CFGS, ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize('purpose', PURPOSES)
@torch.no_grad()
def test_deployed_and_exported(conv_cfg, purpose):
    model, x = network(conv_cfg, dynamic_convs=['layer[34].*']), torch.randn(3, 3, 64, 48, dtype=torch.float64)
    (expected,), deployed = model(x), to_deploy(model, purpose)
    assert distance(expected[:1], expected[1:2]) > 1e-3
    assert distance(deployed(x)[0], expected) < 1e-12
    assert distance(deployed(x[:1])[0], expected[:1]) < 1e-12
    x = x[:1] if purpose == 'batch_1' else x
    free = None if purpose == 'batch_1' else {0: torch.export.Dim('batch')}
    program = torch.export.export(deployed, (x,), dynamic_shapes=(free,), strict=False).module()
    assert distance(program(x)[0], expected[: len(x)]) < 1e-12
    if conv_cfg['type'] == 'CondConv2d':
        assert not list(dynamic_layers(deployed))
        assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
        assert 1e-5 < distance(store_weights(deployed, 'float16')(x)[0], expected[: len(x)]) < 5e-3
    else:
        assert {type(layer) for _, layer in dynamic_layers(deployed)} == {HalvedConv2d}


@torch.no_grad()
def test_a_shift_is_not_mixed_where_weights_do_not_sum_to_one():
    for bias in (False, True):
        block = ConvModule(
            4, 4, 3, bias=bias, conv_cfg=dict(type='CondConv2d', num_kernels=5), norm_cfg=dict(type='BN')
        )
        stir(block.double())
        x, deployed = torch.randn(3, 4, 6, 6, dtype=torch.float64), to_deploy(block)
        assert isinstance(deployed.conv, DeployedConv2d)
        assert isinstance(deployed.bn, nn.Identity)
        assert distance(deployed(x), block(x)) < 1e-12


def test_costs():
    layer = CondConv2d(8, 12, 3, padding=1, num_kernels=5, bias=False)
    kernel = 12 * 8 * 9
    cost = count(nn.Sequential(layer), torch.zeros(1, 8, 10, 6))
    # convolution, aggregation, routing, and half a multiply-add for each element that is pooled
    assert cost.madds == kernel * 10 * 6 + 5 * kernel + 8 * 5 + 8 * 10 * 6 // 2
    assert cost.params == 5 * kernel + 8 * 5 + 5
    assert any('aggregation' in one.flops for one in cost.layers)


def test_temperature():
    assert set_temperature(network(CONV_CFGS[0]), 3.0) == 0  # CondConv has none, and the hook says so
    model = network(CONV_CFGS[1])
    assert set_temperature(model, 3.0) == len(list(dynamic_layers(model))) == 8
    assert {float(layer.temperature) for _, layer in dynamic_layers(model)} == {3.0}


def test_attention_log():
    class Runner:
        model, iter = network(CONV_CFGS[0]).float(), 0

    hook, found = AttentionLogHook(interval=1), {}
    hook.before_train(Runner)
    hook.before_train_iter(Runner, 0)
    Runner.model(torch.randn(4, 3, 64, 48))
    Runner.message_hub = type('Hub', (), dict(update_scalar=lambda name, value: found.update({name: value})))
    Runner.visualizer = type('Visualizer', (), dict(add_scalars=lambda values, step: found.update(values)))
    hook.after_train_iter(Runner, 0)
    hook.after_train(Runner)
    entropies = [value for name, value in found.items() if name.startswith('attention/entropy/')]
    assert len(entropies) == 8
    assert all(0 < value < 1 for value in entropies)  # weights are taken as shares of their sum
    assert all(value > -1e-6 for name, value in found.items() if 'image_dependence' in name)
