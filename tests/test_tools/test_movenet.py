"""MoveNet's converter, on a graph of its architecture with random weights."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from model_converters.crops import read_crops
from model_converters.movenet_network import convert
from model_converters.tfjs import evaluate, read_graph
from tfjs_files import ROOT, GraphFile, movenet

OUTPUT = ROOT + 'kpt_heatmap_0/conv2d_5/BiasAdd'


@pytest.fixture(scope='module')
def model_file(tmp_path_factory):
    return movenet().save(tmp_path_factory.mktemp('movenet'))


@pytest.fixture(scope='module')
def crops():
    return torch.rand(8, 3, 128, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope='module')
def converted(model_file, crops):
    return convert(read_graph(model_file), crops)


def test_an_evaluated_convolution_is_tensorflows(tmp_path):
    """Against the definition of padding SAME at stride 2: an even image is padded below and on the right."""
    file = GraphFile()
    file.conv('conv', 'x', (3, 3, 2, 5), stride=2, fused=('BiasAdd', 'Relu6'))
    graph = read_graph(file.save(tmp_path))
    x = torch.randn(1, 6, 8, 2)
    (found,) = evaluate(graph, {'x': x}, ['conv'])
    kernel, bias = graph.weights['conv_weights'], graph.weights['conv_bias']
    expected = torch.zeros(1, 3, 4, 5)
    for row, column, i, j in np.ndindex(3, 4, 3, 3):
        if row * 2 + i < 6 and column * 2 + j < 8:
            expected[0, row, column] += x[0, row * 2 + i, column * 2 + j] @ kernel[i, j]
    torch.testing.assert_close(found, (expected + bias).clamp(0, 6))


def test_the_network_is_the_graph(model_file, converted):
    """In evaluation mode, at the graph's own size, on an image that the converter has not seen."""
    model, report = converted
    assert report['version'] == 'lightning'
    assert report['eval_difference'] < 1e-4
    assert report['train_difference'] < 0.01
    x = torch.rand(1, 3, 192, 192) * 2 - 1
    (logits,) = evaluate(read_graph(model_file), {ROOT + 'sub_1': x.permute(0, 2, 3, 1)}, [OUTPUT])
    with torch.no_grad():
        heatmaps = model(x, None, mode='tensor')
    torch.testing.assert_close(heatmaps, logits.sigmoid().permute(0, 3, 1, 2), atol=1e-4, rtol=0)


def test_a_dynamic_network_starts_as_the_graph(converted):
    """Whatever the attention says, K copies of a kernel are the kernel: each part, dynamic, from the static weights."""
    model, _ = converted
    conv_cfg = dict(type='DyConv2d', num_kernels=4)
    parts = dict(
        backbone=dict(type='DyMobileNetV2', padding='same', out_indices=(1, 2, 3, 7)),
        neck=dict(type='SeparableFPN'),
        head=dict(type='SeparableHead'),
    )
    x = torch.rand(2, 3, 96, 64) * 2 - 1
    for name, cfg in parts.items():
        part = MODELS.build(dict(cfg, conv_cfg=conv_cfg))
        part.load_state_dict(getattr(model, name).state_dict(), strict=False)
        part.eval()
        with torch.no_grad():
            found, expected = part(x), getattr(model, name)(x)
        for a, b in zip([found] if name == 'head' else found, [expected] if name == 'head' else expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
        x = expected


def test_normalisation_is_unfolded(converted, crops):
    """What each normalisation sees on the crops has the mean and variance that it holds."""
    model, _ = converted
    seen = {}
    conv, norm = model.backbone.conv1.conv, model.backbone.conv1.bn
    handle = conv.register_forward_hook(lambda module, args, output: seen.update(output=output))
    with torch.no_grad():
        model(crops, None, mode='tensor')
    handle.remove()
    torch.testing.assert_close(norm.running_mean, seen['output'].mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, seen['output'].var((0, 2, 3)))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        ('no weights file', 'which does not exist'),
        ('truncated weights', 'are truncated'),
        ('truncated JSON', 'is not the whole JSON file'),
        ('no model', 'is not the whole JSON file'),
        ('a missing weight', 'lists no weight'),
        ('a missing node', 'has no node'),
        ('other widths', 'has the shape'),
        ('another network', 'is not MoveNet Lightning or Thunder'),
    ],
)
def test_mistakes(tmp_path, crops, damage, message):
    file = movenet()
    if damage == 'a missing node':
        file.nodes = [node for node in file.nodes if node['name'] != OUTPUT]
    elif damage == 'a missing weight':
        del file.weights[OUTPUT + '_weights']
    elif damage == 'other widths':
        file.weights[OUTPUT + '_weights'] = np.zeros((1, 1, 96, 5), np.float16)
    elif damage == 'another network':
        file.nodes = [node for node in file.nodes if 'model_1/model/' not in node['name']]
    path = file.save(tmp_path)
    if damage == 'no weights file':
        path.with_suffix('.bin').unlink()
    elif damage == 'truncated weights':
        path.with_suffix('.bin').write_bytes(path.with_suffix('.bin').read_bytes()[:-1000])
    elif damage == 'truncated JSON':
        path.write_text(path.read_text()[:-1000])
    elif damage == 'no model':
        path.write_text('{"format": "layers-model"}')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        convert(read_graph(path), crops)


def test_the_tool(tmp_path, model_file, run_tool):
    """From the command line, with crops cut out by COCO annotations; its checkpoint has the three parts."""
    cv2.imwrite(str(tmp_path / 'image.jpg'), np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8))
    people = [
        dict(id=i, image_id=1, category_id=1, bbox=[10 * i, 20, 100, 180], area=1, iscrowd=0) for i in range(1, 9)
    ]
    content = dict(
        images=[dict(id=1, file_name='image.jpg')], annotations=people, categories=[dict(id=1, name='person')]
    )
    (tmp_path / 'people.json').write_text(json.dumps(content))
    assert read_crops(tmp_path / 'people.json', tmp_path, 3).shape == (3, 3, 256, 192)
    options = [tmp_path / 'out.pth', '--ann-file', tmp_path / 'people.json', '--images', tmp_path]
    status, output = run_tool('model_converters/movenet.py', model_file, *options)
    assert (status or 0) == 0, output
    checkpoint = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert {name.split('.')[0] for name in checkpoint['state_dict']} == {'backbone', 'neck', 'head'}
    assert checkpoint['meta']['version'] == 'lightning'
    status, output = run_tool('model_converters/movenet.py', 'none.json', *options)
    assert (status, output.count('\n')) == (2, 1)
    assert 'There is no file none.json' in output
