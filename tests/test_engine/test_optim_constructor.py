"""``paramwise_cfg`` does to dynamic layers what it does to the static ones in their place."""

import pytest
from mmengine.optim import build_optim_wrapper
from mmpose.registry import MODELS
from torch import nn

from dyconv_pose.layers import DyConv2d

CONSTRUCTORS = ['DefaultOptimWrapperConstructor', 'ForceDefaultOptimWrapperConstructor']


def decay_of(network, constructor, **rules):
    """The weight decay of every parameter, by name; 1 where no rule holds."""
    optimizer = dict(type='SGD', lr=0.1, weight_decay=1.0)
    wrapper = build_optim_wrapper(
        network, dict(type='OptimWrapper', constructor=constructor, optimizer=optimizer, paramwise_cfg=rules)
    )
    decays = {id(p): group['weight_decay'] for group in wrapper.param_groups for p in group['params']}
    return {name: decays[id(parameter)] for name, parameter in network.named_parameters()}


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_depthwise_kernels_get_the_decay_of_the_static_twin(constructor):
    found = {}
    for conv_cfg in (dict(type='DyConv2d', num_kernels=2), None):
        network = MODELS.build(dict(type='DyMobileNetV2', widen_factor=0.25, conv_cfg=conv_cfg))
        rules = dict(dwconv_decay_mult=0.0, norm_decay_mult=0.5, custom_keys={'layer7': dict(decay_mult=2.0)})
        found[conv_cfg is None] = decay_of(network, constructor, **rules)
    static, dynamic = found[True], found[False]
    assert list(static.values()).count(0.0) >= 14
    assert {name: dynamic[name] for name in static} == static
    assert {value for name, value in dynamic.items() if '.attention.' in name} == {1.0, 2.0}


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
@pytest.mark.parametrize('rules', [{}, dict(bias_decay_mult=0.5), dict(custom_keys={'0.bias': dict(decay_mult=3.0)})])
def test_biases_count_as_flat(constructor, rules):
    static, dynamic = (nn.Sequential(kind(4, 4, 3), kind(4, 4, 3, groups=4)) for kind in (nn.Conv2d, DyConv2d))
    expected = decay_of(static, constructor, flat_decay_mult=0.25, dwconv_decay_mult=0.0, **rules)
    found = decay_of(dynamic, constructor, flat_decay_mult=0.25, dwconv_decay_mult=0.0, **rules)
    assert expected['1.weight'] == 0.0
    assert {name: found[name] for name in expected} == expected
