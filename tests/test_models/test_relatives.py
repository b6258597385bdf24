"""ODConv, DCD and KernelWarehouse in MMPose's networks: what is around dynamic layers takes them, or says why not."""

import pytest
import torch
from analysis_tools.attention.hooks import record_attention
from analysis_tools.costs.counter import count
from mmpose.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dyconv_pose.deploy import to_deploy
from dyconv_pose.deploy.fold import PURPOSES
from dyconv_pose.engine.attention import AttentionLogHook, set_temperature
from dyconv_pose.layers import DCDConv2d, ODConv2d, dynamic_layers, make_dynamic

CONV_CFGS = [
    dict(type='ODConv2d', num_kernels=4, temperature=2.0),
    dict(type='ODConv2d', num_kernels=1, temperature=2.0),
    dict(type='DCDConv2d'),
    dict(type='KernelWarehouse2d', temperature=0.25),
    dict(type='KernelWarehouse2d', budget=0.5, cell_in=1, cell_out=1, temperature=0.0),
]


@torch.no_grad()
def network(conv_cfg):
    """A network whose attention matters, with running statistics that are those of a batch."""
    torch.manual_seed(0)
    network = MODELS.build(dict(type='DyMobileNetV2', widen_factor=0.25, out_indices=(4,), conv_cfg=conv_cfg)).double()
    for name, parameter in network.named_parameters():
        if 'attention' in name:
            nn.init.normal_(parameter, std=0.3)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            module.momentum = 1.0
    network.train()
    network(torch.randn(8, 3, 64, 48, dtype=torch.float64) + torch.randn(8, 3, 1, 1, dtype=torch.float64))
    network.eval()
    return network


def distance(found, expected):
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


@pytest.mark.parametrize('conv_cfg', CONV_CFGS, ids=str)
@pytest.mark.parametrize(
    'purpose', [pytest.param(one, marks=() if one == 'torch' else pytest.mark.slow) for one in PURPOSES]
)
@torch.no_grad()
def test_deployed_and_exported(conv_cfg, purpose):
    model, x = network(conv_cfg), torch.randn(3, 3, 64, 48, dtype=torch.float64)
    (expected,), deployed = model(x), to_deploy(model, purpose)
    assert distance(expected[:1], expected[1:2]) > 1e-3
    assert distance(deployed(x)[0], expected) < 1e-10
    assert distance(deployed(x[:1])[0], expected[:1]) < 1e-10
    after = [module for module in deployed.modules() if isinstance(module, nn.BatchNorm2d)]
    if conv_cfg['type'] == 'KernelWarehouse2d':  # layers share their cells, and so no layer can scale its own
        assert len(after) == len(list(dynamic_layers(deployed)))
    else:
        assert not after
    if purpose != 'torch':
        x = x[:1] if purpose == 'batch_1' else x
        free = None if purpose == 'batch_1' else {0: torch.export.Dim('batch')}
        program = torch.export.export(deployed, (x,), dynamic_shapes=(free,), strict=False).module()
        assert distance(program(x)[0], expected[: len(x)]) < 1e-10


@pytest.mark.parametrize('conv_cfg', [cfg for cfg in CONV_CFGS if cfg.get('budget', 1) == 1], ids=str)
@torch.no_grad()
def test_a_static_checkpoint_is_an_exact_start(conv_cfg):
    static, x = network(None), torch.randn(3, 3, 64, 48, dtype=torch.float64)
    if conv_cfg['type'] == 'KernelWarehouse2d':  # which has a static start at its own temperature alone
        with pytest.raises(ValueError, match=r'exact at temperature=1, got 0\.25'):
            network(conv_cfg).load_state_dict(static.state_dict(), strict=False)
        conv_cfg = {**conv_cfg, 'temperature': 1}
    model = network(conv_cfg)
    model.load_state_dict(static.state_dict(), strict=False)
    assert distance(model(x)[0], static(x)[0]) < 1e-10


def test_init_weights_of_mmengine():
    for conv_cfg in CONV_CFGS:
        model = MODELS.build(dict(type='DyMobileNetV2', widen_factor=0.5, conv_cfg=conv_cfg))
        model.init_weights()
        layer = model.layer7[0].conv[2].conv
        assert float(layer.weight.detach().std()) == pytest.approx((2 / layer.out_channels) ** 0.5, rel=0.02)


def test_costs():
    """Multiply-adds by hand: convolution, kernels, attention, and half of one for each element that is pooled."""
    x, kernel, pooling = torch.zeros(1, 8, 10, 6), 12 * 8 * 9, 8 * 10 * 6 // 2
    cost = count(nn.Sequential(ODConv2d(8, 12, 3, padding=1, bias=False)), x)
    attention = 8 * 16 + 16 * (8 + 12 + 9 + 4)
    assert cost.madds == kernel * 10 * 6 + 4 * kernel + attention + pooling
    cost = count(nn.Sequential(DCDConv2d(8, 12, 3, padding=1, bias=False)), x)  # d = 5, hidden 4, in quarters
    attention = 4 * 8 * 4 + 4 * 4 + 4 * 5 * 5 + 4 * 12
    assert cost.madds == kernel * 10 * 6 + 12 * 5 * 5 + 12 * 5 * 8 + attention + pooling
    warehouse = nn.Sequential(nn.Conv2d(8, 12, 3, padding=1, bias=False))
    make_dynamic(warehouse, 'KernelWarehouse2d', include=['*'])  # 9 cells (12, 8)
    assert count(warehouse, x).madds == kernel * 10 * 6 + 9 * kernel + 8 * 16 + 16 * 9 * 10 + pooling


def test_temperature_and_attention_log():
    class Runner:
        model, iter = None, 0

    for conv_cfg in CONV_CFGS:
        Runner.model = network(conv_cfg)
        layers = len(list(dynamic_layers(Runner.model)))
        assert set_temperature(Runner.model, 0.5) == (0 if conv_cfg['type'] == 'DCDConv2d' else layers)
        if conv_cfg.get('num_kernels') == 4:
            hook = AttentionLogHook(interval=1)
            hook.before_train(Runner)
            hook.after_train(Runner)
            with record_attention(Runner.model) as recorded:
                Runner.model(torch.randn(2, 3, 64, 48, dtype=torch.float64))
            assert all(one.pi.shape == (2, 4) for one in recorded.values()) and len(recorded) == layers
        else:
            with pytest.raises(ValueError, match='no dynamic layer with it'):
                AttentionLogHook().before_train(Runner)
            with pytest.raises(ValueError, match='choose among kernels'), record_attention(Runner.model):
                pass
    with pytest.raises(ValueError, match=r'within 0 and 1, got 30.*TemperatureHook\(start=1, end=0\)'):
        set_temperature(Runner.model, 30.0)
