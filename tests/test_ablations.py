"""Every ablation differs from its base in what its name says, and in nothing else."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import HOOKS, MODELS
from torch import nn

from dyconv_pose.layers import dynamic_layers

COCO = Path(__file__).parents[1] / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
STEM, TAIL = 'td-hm_dy-mobilenetv2-x0.5-bneck', '_8xb64-210e_coco-256x192'
ABLATIONS = {path.stem.removeprefix(STEM + '-').removesuffix(TAIL): path for path in (COCO / 'ablations').glob('*.py')}


read = cache(Config.fromfile)


@cache
def base_model() -> nn.Module:
    return MODELS.build(read(COCO / f'{STEM}{TAIL}.py').model)


def model_of(name: str) -> nn.Module:
    return MODELS.build(read(ABLATIONS[name]).model)


def test_all_of_them_are_there():
    expected = {'backbone-only', 'head-only', 'expand', 'depthwise', 'project', 'tau30to1'}
    expected |= {f'k{k}' for k in (1, 2, 6, 8)} | {f'tau{tau}' for tau in (1, 5, 10, 20, 40)}
    expected |= {f'reduction{reduction}' for reduction in (1, 2, 8, 16)}
    assert ABLATIONS.keys() == expected


@pytest.mark.parametrize('name', sorted(ABLATIONS))
def test_differs_from_its_base_in_one_thing(name):
    path = ABLATIONS[name]
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith('#')]
    assert len(lines) <= 5
    config, base = (read(each).to_dict() for each in (path, COCO / f'{STEM}{TAIL}.py'))
    assert {key for key in base if config[key] != base[key]} <= {'model', 'default_hooks'}
    assert config.keys() == base.keys()


@pytest.mark.parametrize('name', ['k1', 'k2', 'k6', 'k8', 'reduction1', 'reduction2', 'reduction8', 'reduction16'])
def test_numbers(name):
    what, number = re.fullmatch(r'([a-z]+)(\d+)', name).groups()
    layers, base = dict(dynamic_layers(model_of(name))), dict(dynamic_layers(base_model()))
    assert layers.keys() == base.keys()
    for layer in layers.values():
        assert layer.num_kernels == (int(number) if what == 'k' else 4)
        assert layer.attention.squeeze.out_features == max(
            layer.in_channels // (int(number) if what == 'reduction' else 4), 1
        )


@pytest.mark.parametrize('tau', [1, 5, 10, 20, 40])
def test_temperature(tau):
    layers = dict(dynamic_layers(model_of(f'tau{tau}')))
    assert layers
    assert {layer.attention.temperature.item() for layer in layers.values()} == {tau}


def test_annealing():
    hook = HOOKS.build(read(ABLATIONS['tau30to1']).default_hooks.temperature)
    assert (*hook.curve, hook.duration, hook.by_epoch) == (30, 1, 'linear', 10, True)


@pytest.mark.parametrize(('name', 'dynamic'), [('backbone-only', 'backbone'), ('head-only', 'head')])
def test_parts(name, dynamic):
    names = {name for name, _ in dynamic_layers(model_of(name))}
    assert names == {name for name, _ in dynamic_layers(base_model()) if name.startswith(dynamic)}


def test_the_convolutions_of_a_bottleneck():
    def role(layer):
        if layer.groups > 1:
            return 'depthwise'
        return 'expand' if layer.out_channels >= layer.in_channels else 'project'

    roles: dict[str, set[str]] = {'expand': set(), 'depthwise': set(), 'project': set()}
    for name, layer in dynamic_layers(base_model()):
        roles[role(layer)].add(name)
    for name, expected in roles.items():
        assert {n for n, _ in dynamic_layers(model_of(name))} == expected


@pytest.mark.parametrize('name', ['k1', 'project', 'reduction16'])
def test_takes_a_step(name):
    model = model_of(name)
    model.init_weights()
    heatmaps = model.head(model.extract_feat(torch.rand(2, 3, 64, 64)))
    assert heatmaps.shape == (2, 17, 16, 16)
    heatmaps.square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
