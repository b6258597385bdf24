"""Inspections of the attention, against what is computed by hand."""

import json
import math

import matplotlib.pyplot as plt
import pytest
import torch
from analysis_tools.attention.figures import draw_changes, draw_figures, draw_layers, draw_training, short_names
from analysis_tools.attention.hooks import REPLACEMENTS, record_attention, replace_attention
from analysis_tools.attention.inspection import group_layers, inspect
from analysis_tools.attention.summaries import summarise_layer
from tiny_coco import write_coco, write_config
from torch import nn

from dyconv_pose.apis import build_model, load_config
from dyconv_pose.apis.config import use_ground_truth_boxes
from dyconv_pose.layers import DyConv2d


@pytest.fixture
def network():
    """Two dynamic layers, the second at half the resolution, whose attention follows the image."""
    network = nn.Sequential(
        DyConv2d(3, 8, 3, padding=1, num_kernels=3, reduction=1, temperature=1.0),
        DyConv2d(8, 4, 3, stride=2, padding=1, num_kernels=3, reduction=1, temperature=1.0),
    )
    for layer in network:
        nn.init.normal_(layer.attention.squeeze.weight)
        nn.init.normal_(layer.attention.squeeze.bias)
        nn.init.normal_(layer.attention.excite.weight)
    return network.eval()


@pytest.fixture
def x():
    return torch.randn(4, 3, 16, 12) + torch.randn(4, 3, 1, 1)


def static(layer, weights, x):
    """The layer as a static convolution with its kernels in fixed proportions, image by image."""
    outputs = []
    for pi, image in zip(weights, x, strict=True):
        kernel = sum(share * k for share, k in zip(pi, layer.weight, strict=True))
        bias = sum(share * b for share, b in zip(pi, layer.bias, strict=True))
        outputs.append(nn.functional.conv2d(image[None], kernel, bias, layer.stride, layer.padding))
    return torch.cat(outputs)


def recorded(network, x):
    with torch.no_grad(), record_attention(network) as layers:
        network(x[:3])
        network(x[3:])
    return layers


def test_recorded_is_what_the_layers_compute(network, x):
    layers = recorded(network, x)
    torch.testing.assert_close(layers['0'].pi, network[0].attention(x).detach())
    assert layers['1'].output_size_hw == (8, 6)
    assert not network[0].attention._forward_hooks
    assert not network[0]._forward_hooks
    with pytest.raises(ValueError, match='has none'), record_attention(nn.Conv2d(1, 1, 1)):
        pass


@torch.no_grad()
def test_replaced_attention_is_the_static_convolution_it_stands_for(network, x):
    own = {name: layer.pi for name, layer in recorded(network, x).items()}
    assert own['0'].std(dim=0).max() > 0.05  # the images differ in their attention
    mean = {name: pi.mean(dim=0) for name, pi in own.items()}
    first, second = network
    expected = {
        'mean': mean['0'].expand(4, 3),
        'max': torch.eye(3)[own['0'].argmax(dim=1)],
        'uniform': torch.full((4, 3), 1 / 3),
        'shuffle': own['0'][[2, 3, 0, 1]],
    }
    assert set(expected) == set(REPLACEMENTS)
    before = network(x)
    for replacement, weights in expected.items():
        with replace_attention(network, replacement, mean, ['0']):
            changed = network(x)
        by_hand = second(static(first, weights, x))  # the second layer keeps its own attention
        torch.testing.assert_close(changed, by_hand, rtol=1e-4, atol=1e-4, msg=replacement)
        assert (changed - before).abs().max() > 1e-2, replacement
    torch.testing.assert_close(network(x), before, rtol=0, atol=0)  # nothing stays behind


def test_what_cannot_be_replaced(network):
    with pytest.raises(ValueError, match='must be one of'), replace_attention(network, 'other', {}):
        pass
    with pytest.raises(ValueError, match='"7" is none'), replace_attention(network, 'max', {}, ['7']):
        pass


def test_summary_of_attention_by_hand():
    layer = DyConv2d(2, 2, 1, num_kernels=4, temperature=5.0)
    with torch.no_grad():
        layer.weight.zero_()
        for kernel, (i, j) in zip(layer.weight, [(0, 0), (0, 0), (0, 1), (1, 1)], strict=True):
            kernel[i, j] = 2.0
    pi = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]])
    summary = summarise_layer('name', layer, pi)
    assert summary.entropy == pytest.approx(math.log(2) / math.log(4))
    of_mean = -(0.25 * math.log(0.25) * 2 + 0.5 * math.log(0.5)) / math.log(4)
    assert summary.entropy_of_mean == pytest.approx(of_mean)
    assert summary.image_dependence == pytest.approx(of_mean - 0.5)
    assert summary.mean_pi == (0.25, 0.5, 0.25, 0.0)
    assert summary.largest_pi == (0.5, 0.5, 0.5, 0.0)
    assert summary.dead_kernels == 1  # the fourth
    assert summary.kernel_similarity == pytest.approx(1 / 6)  # one of six pairs is equal, the others orthogonal
    assert summary.temperature == 5.0
    json.dumps(summary.as_dict())


def test_one_kernel_is_no_choice():
    summary = summarise_layer('name', DyConv2d(2, 2, 1, num_kernels=1), torch.ones(3, 1))
    assert (summary.entropy, summary.image_dependence, summary.dead_kernels) == (1.0, 0.0, 0)
    assert summary.kernel_similarity is None


def test_groups(network, x):
    layers = recorded(network, x)
    assert group_layers(layers, 16) == {'all': ['0', '1'], '0': ['0'], '1': ['1'], 'stride 1': ['0'], 'stride 2': ['1']}


@pytest.mark.filterwarnings('ignore')
def test_a_whole_inspection(tmp_path):
    path = write_config(tmp_path / 'config.py', write_coco(tmp_path / 'coco'))
    config = load_config(path)
    use_ground_truth_boxes(config)
    torch.save(build_model(config).state_dict(), tmp_path / 'net.pth')
    with pytest.raises(ValueError, match='coco/AP.*got "coco/PCK"'):
        inspect(config, tmp_path / 'net.pth', metric='coco/PCK')
    found = inspect(config, tmp_path / 'net.pth', ['mean', 'shuffle'], metric='coco/AR')
    assert found.as_dict()['persons'] == 8
    assert set(found.replaced['all']) == {'mean', 'shuffle'} and 'head' in found.groups
    assert all(len(pi) == 8 for pi in found.pi.values())
    assert found.image_of(7).shape == (3, 128, 96)
    paths = draw_figures(found, tmp_path / 'figures', 'coco/AR')
    assert [path.stem for path in paths] == ['layers', 'images', 'replaced']
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_figures_show_what_there_is():
    layer = dict(name='backbone.a.conv', num_kernels=2, entropy=0.5, entropy_of_mean=0.75)
    layer |= dict(mean_pi=[0.5, 0.5], largest_pi=[0.9, 0.6], kernel_similarity=0.25)
    top, _, bottom = draw_layers([layer, dict(layer, entropy=0.25)]).axes
    assert top.lines[0].get_ydata().tolist() == [0.5, 0.25]
    assert [bar.get_height() for bar in bottom.patches] == [0.25, 0.25]
    replaced = {'mean': {'coco/AP': 0.3}, 'max': {'coco/AP': 0.1}}
    figure, axes = plt.subplots()
    draw_changes(axes, [dict(metric='coco/AP', scores={'coco/AP': 0.4}, replaced={'all': replaced})])
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([-10])  # of the mean; "max" is left out
    plt.close(figure)
    (axes,) = draw_training([1, 2], {'a': [1.0, 0.5], 'b': [0.5, 0.0]}, 'epoch').axes
    assert axes.lines[-1].get_ydata().tolist() == [0.75, 0.25]
    assert short_names(['backbone.layer1.conv', 'head.deconv_layers.0.conv']) == ['layer1', 'head.deconv_layers.0']
