"""The type B head: its totals, its output and what of it is dynamic."""

import pytest
import torch
from mmpose.registry import MODELS

from dyconv_pose.layers import dynamic_layers

CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)


def build(**kwargs):
    return MODELS.build(dict(type='BottleneckHead', in_channels=1280, out_channels=17, **kwargs))


# The reconstruction of the paper's head on 1280 channels: 1.17M parameters static, 6.20M dynamic.
@pytest.mark.parametrize(('conv_cfg', 'millions'), [(None, 1.17), (CONV_CFG, 6.20)])
def test_parameter_count(conv_cfg, millions):
    count = sum(p.numel() for p in build(conv_cfg=conv_cfg).parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.01)


def test_whole_network_has_the_papers_size():
    backbone = MODELS.build(dict(type='DyMobileNetV2', conv_cfg=CONV_CFG))
    head = build(conv_cfg=CONV_CFG)
    count = sum(p.numel() for network in (backbone, head) for p in network.parameters()) / 1e6
    assert count == pytest.approx(16.1, rel=0.01)


@pytest.mark.parametrize('conv_cfg', [None, CONV_CFG])
def test_heatmaps_are_a_quarter_of_the_input(conv_cfg):
    features = (torch.zeros(2, 320, 8, 6), torch.randn(2, 1280, 8, 6))
    assert build(conv_cfg=conv_cfg)(features).shape == (2, 17, 64, 48)


def test_blocks_are_dynamic_and_the_last_layer_is_static():
    names = [name for name, _ in dynamic_layers(build(conv_cfg=CONV_CFG))]
    # 2 + 3 + 3 + 3 convolutions in the four blocks, of which the first block has no expansion
    assert len(names) == 11
    assert not any('final_layer' in name for name in names)
    assert not list(dynamic_layers(build()))


def test_initialisation():
    static, dynamic = build(), build(conv_cfg=CONV_CFG)
    static.init_weights(), dynamic.init_weights()
    assert dynamic.final_layer.weight.std().item() == pytest.approx(0.001, rel=0.1)
    for name, layer in dynamic_layers(dynamic):
        expected = static.get_submodule(name).weight.std().item()
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.1), name


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='one entry per stage, got 2 and 3'):
        build(stage_out_channels=(256, 128))
    with pytest.raises(ValueError, match='kernel_size must be odd, got 4'):
        build(kernel_size=4)
