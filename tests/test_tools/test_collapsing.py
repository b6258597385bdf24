"""Training persons of several files, and a network collapsed by them."""

import json

import pytest
import torch
from collapsing import _sampled, choose_layers, collapse
from small_network import stir
from tiny_coco import write_coco, write_config

from dyconv_pose.apis import build_model, load_config
from dyconv_pose.apis.estimator import load_model
from dyconv_pose.deploy.collapse import MeanKernel
from dyconv_pose.layers import dynamic_layers
from dyconv_pose.layers.convert import kind_of

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Tiny data, a config of a small dynamic network on them, and a checkpoint."""
    folder = tmp_path_factory.mktemp('collapsing')
    write_coco(folder / 'coco')
    write_config(folder / 'config.py', folder / 'coco')
    network = stir(build_model(load_config(folder / 'config.py')))
    torch.save(dict(state_dict=network.state_dict(), meta={}), folder / 'checkpoint.pth')
    return folder


@pytest.mark.parametrize('names_data', [False, True])
def test_a_network_is_collapsed(folder, capfd, names_data):
    model = load_model(folder / 'config.py', folder / 'checkpoint.pth')
    coco = folder / 'coco'
    data = [coco / 'annotations/person_keypoints_train2017.json', coco / 'train2017'] if names_data else []
    static = collapse(model, folder / 'config.py', data, 6, None if names_data else 1.0)
    count = len(list(dynamic_layers(model.network.module)))
    assert not list(dynamic_layers(static.network.module)) and count > 5
    output = capfd.readouterr().out
    assert f'{count} of {count} dynamic layers are static now\nAP on val at annotated boxes: ' in output
    assert 'training persons' in output and ('AP 0.' in output) is not names_data
    estimate = [one.estimate(model.prepare(*image())[0])[0] for one in (model, static)]
    assert estimate[0].shape == estimate[1].shape


def test_layers_of_some_kinds_are_collapsed(folder):
    model = load_model(folder / 'config.py', folder / 'checkpoint.pth')
    found = collapse(model, folder / 'config.py', [], 6, None, ['depthwise'])
    kinds = {kind_of(layer) for _, layer in dynamic_layers(found.network.module)}
    assert kinds and 'depthwise' not in kinds
    with pytest.raises(ValueError, match='no dynamic layers of the kinds depthwise: leave --kinds out'):
        collapse(found, folder / 'config.py', [], 6, None, ['depthwise'])


def image():
    return torch.randint(256, (120, 90, 3), dtype=torch.uint8).numpy(), [[10, 10, 80, 110]]


def coco_file(folder, name, keypoints, **more):
    """One image of two persons, the second without labels."""
    content = dict(
        images=[dict(id=7, file_name=f'{name}.jpg', width=90, height=120)],
        annotations=[
            dict(id=5, image_id=7, bbox=[1, 2, 30, 40], keypoints=keypoints, **more),
            dict(id=6, image_id=7, bbox=[1, 2, 30, 40], keypoints=[0] * len(keypoints)),
        ],
    )
    (folder / f'{name}.jpg').touch()
    (folder / f'{name}.json').write_text(json.dumps(content))
    return folder / f'{name}.json', folder


def test_persons_of_several_files_have_images_of_their_own(tmp_path):
    sources = [coco_file(tmp_path, name, [3, 4, 2] * 17) for name in ('a', 'b')]
    found = _sampled(sources, 10)
    assert {one['file_name'] for one in found['images']} == {str(tmp_path / name) for name in ('a.jpg', 'b.jpg')}
    assert [one['id'] for one in found['images']] == [one['image_id'] for one in found['annotations']] == [1, 2]
    assert found['annotations'][0]['area'] == 1200 and len(_sampled(sources, 1)['images']) == 1


def test_mistakes(folder, tmp_path, run_tool):
    source = coco_file(tmp_path, 'a', [3, 4, 2] * 17, iscrowd=1)
    with pytest.raises(ValueError, match='need persons with labelled keypoints'):
        _sampled([source], 3)
    source[0].write_text('[]')
    with pytest.raises(ValueError, match='must be COCO keypoints, and .* is not'):
        _sampled([source], 3)
    source = coco_file(tmp_path, 'a', [3, 4, 2] * 17)
    (tmp_path / 'a.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='image of a training person must exist'):
        _sampled([source], 3)
    command = ['export.py', folder / 'config.py', folder / 'checkpoint.pth', '--out', 'a.onnx']
    for options, problem in (
        (['--collapse', 'a.json'], 'takes COCO annotations and the folder of their images, or nothing'),
        (['--max-loss', '0.1'], '--max-loss is of --collapse'),
        (['--kinds', 'depthwise'], '--kinds is of --collapse'),
        (['--persons', '50'], '--persons is of --collapse'),
        (['--collapse', '--max-loss', '-1'], 'between 0 and 1'),
        (['--collapse', '--with-attention'], 'is of dynamic layers, and --collapse leaves none'),
        (['--collapse', '--persons', '0'], 'must be at least 1'),
        (['--collapse', 'none.json', '.'], 'must be in an existing JSON file'),
    ):
        status, output = run_tool(*command, *options)
        assert status == 2 and problem in output, output


@pytest.mark.parametrize(
    ('costs', 'max_loss', 'expected'),
    [
        ([0.1, 0.1, 0.1], 0.5, 'abc'),
        ([0.1, 0.1, 0.5], 0.25, 'ab'),
        ([0.1, 0.3, 0.5], 0.1, 'a'),
        ([0.0, 0.0, 0.0], 0.0, 'abc'),
        ([0.2, 0.1, 0.1], 0.1, None),
    ],
)
def test_layers_that_vary_least_are_chosen(costs, max_loss, expected):
    means = {name: MeanKernel(torch.ones(1), None, variation) for name, variation in zip('bca', (2, 3, 1), strict=True)}

    def score(layers):
        return 0.75 - sum(dict(zip('abc', costs, strict=True))[name] for name in layers)

    if expected:
        assert ''.join(choose_layers(means, score, max_loss + 1e-9)) == expected
    else:
        with pytest.raises(ValueError, match=r'may cost 0.1, and even that of a alone'):
            choose_layers(means, score, max_loss)
