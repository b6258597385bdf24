"""Image classification by MMPretrain, where it is installed: configs, training, one picture, and what comes of it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from dyconv_pose import apis
from dyconv_pose.analysis import count
from dyconv_pose.analysis.comparison import count_imagenet
from dyconv_pose.analysis.paper import IMAGENET
from dyconv_pose.apis import build_model, load_config
from dyconv_pose.layers import dynamic_layers

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'classification'
SMALL = CONFIGS / 'small' / 'dy-mobilenetv2-x0.35_1xb16-10e_folder-64x64.py'
HUES = {'red': 0, 'yellow': 30, 'green': 60, 'cyan': 90, 'blue': 120, 'magenta': 150}

needs_mmpretrain = pytest.mark.skipif(find_spec('mmpretrain') is None, reason='MMPretrain is not installed')

#: Row of the paper's table, and the config with its static twin.
PAPERS = {
    'DY-MobileNetV2 x1.0': 'mobilenetv2-x1.0_8xb32-300e_in1k',
    'DY-MobileNetV2 x0.75': 'mobilenetv2-x0.75_8xb32-300e_in1k',
    'DY-MobileNetV2 x0.5': 'mobilenetv2-x0.5_8xb32-300e_in1k',
    'DY-MobileNetV2 x0.35': 'mobilenetv2-x0.35_8xb32-300e_in1k',
    'DY-MobileNetV3-Small': 'mobilenetv3-small_8xb32-300e_in1k',
    'DY-ResNet-18': 'res18_8xb32-100e_in1k',
    'DY-ResNet-10': 'res10_8xb32-100e_in1k',
}


@pytest.fixture(scope='module')
def class_folders(tmp_path_factory):
    """Pictures of one hue each, with noise; 32 of every class to train on and 8 to score."""
    root = tmp_path_factory.mktemp('classes')
    random = np.random.default_rng(0)
    for split, number in (('train', 32), ('val', 8)):
        for name, hue in HUES.items():
            (root / split / name).mkdir(parents=True)
            for i in range(number):
                picture = np.empty((72, 72, 3), np.uint8)
                picture[..., 0] = hue
                picture[..., 1:] = random.integers(100, 256, (72, 72, 2))
                cv2.imwrite(str(root / split / name / f'{i}.png'), cv2.cvtColor(picture, cv2.COLOR_HSV2BGR))
    return root


def small_config(root, work_dir):
    splits = ('train', 'val', 'test')
    config = load_config(SMALL, {f'{split}_dataloader.dataset.data_root': str(root) for split in splits})
    config.work_dir = str(work_dir)
    return config


def test_every_row_of_the_paper_has_its_configs():
    assert PAPERS.keys() == {row.name for row in IMAGENET}
    for name in PAPERS.values():
        for prefix in ('', 'dy-'):
            assert (CONFIGS / 'imagenet' / f'{prefix}{name}.py').is_file()


def test_without_mmpretrain_the_neck_works():
    neck = MODELS.build(dict(type='ConvPoolNeck', in_channels=8, out_channels=12))
    neck.eval()
    (vectors,) = neck((torch.zeros(2, 3, 8, 8), torch.ones(2, 8, 4, 4)))
    assert vectors.shape == (2, 12)
    expected = torch.nn.functional.hardswish(neck.conv.bn(neck.conv.conv(torch.ones(2, 8, 1, 1)))).flatten(1)
    torch.testing.assert_close(vectors, expected)


def test_cuda_torchvision_beside_a_cpu_pytorch(tmp_path):
    """A package that fails as torchvision does is made importable; one that fails otherwise raises its own error."""
    (tmp_path / 'torchvision').mkdir()
    program = (
        'import importlib\nfrom dyconv_pose import compat\n'
        'compat._declare_torchvision_operators()\nprint(importlib.import_module("torchvision").ready)'
    )
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))

    def run(source):
        (tmp_path / 'torchvision' / '__init__.py').write_text(source)
        # Without MMPose nothing is registered, and the package imports in no time.
        hide = (
            'import importlib.util as u\nf = u.find_spec\nu.find_spec = lambda n, *a: None if n == "mmpose" else f(n)\n'
        )
        return subprocess.run([sys.executable, '-c', hide + program], env=env, capture_output=True, text=True)

    needs_operators = (
        'import torch\nfor name in ("nms", "qnms"):\n'
        '    torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::" + name, "Meta")\nready = True\n'
    )
    done = run(needs_operators)
    assert done.stdout.strip() == 'True', done.stderr
    broken = run('raise RuntimeError("another thing")')
    assert broken.returncode
    assert 'another thing' in broken.stderr


@needs_mmpretrain
@pytest.mark.parametrize('name', PAPERS)
def test_networks_are_those_of_the_paper(name):
    (row,) = (row for row in IMAGENET if row.name == name)
    dynamic = build_model(load_config(CONFIGS / 'imagenet' / f'dy-{PAPERS[name]}.py'))
    static = build_model(load_config(CONFIGS / 'imagenet' / f'{PAPERS[name]}.py'))
    assert not list(dynamic_layers(static))
    images = torch.zeros(1, 3, 224, 224)
    for network, conv_cfg in ((dynamic, dict(type='DyConv2d')), (static, None)):
        cost, expected = count(network, images), count_imagenet(row, conv_cfg)
        assert (cost.params, cost.madds) == (expected.params, expected.madds)


@needs_mmpretrain
@pytest.mark.slow
def test_learns_classifies_and_starts_a_keypoint_network(class_folders, tmp_path):
    from dyconv_pose.classification import classify

    config = small_config(class_folders, tmp_path / 'run')
    apis.train(config)
    checkpoint = tmp_path / 'run' / 'epoch_10.pth'
    accuracy = apis.test(small_config(class_folders, tmp_path / 'test'), checkpoint)
    assert accuracy['accuracy/top1'] > 60
    assert accuracy['accuracy/top5'] > 90

    picture = class_folders / 'val' / 'green' / '0.png'
    ranking = classify(small_config(class_folders, tmp_path / 'one'), checkpoint, picture, topk=10)
    assert {name for name, _ in ranking} == set(HUES)
    assert sum(score for _, score in ranking) == pytest.approx(1, abs=1e-4)
    assert ranking == sorted(ranking, key=lambda entry: -entry[1])

    backbone = MODELS.build(
        dict(
            type='mmpose.DyMobileNetV2',
            widen_factor=0.35,
            conv_cfg=dict(type='DyConv2d'),
            init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.'),
        )
    )
    backbone.init_weights()
    trained = torch.load(checkpoint, map_location='cpu', weights_only=False)['state_dict']
    state = backbone.state_dict()
    assert {f'backbone.{key}' for key in state} == {key for key in trained if key.startswith('backbone.')}
    assert all(torch.equal(value, trained[f'backbone.{key}']) for key, value in state.items())


@needs_mmpretrain
def test_class_folder_without_pictures(class_folders, tmp_path):
    from dyconv_pose.classification import ClassFolders

    (tmp_path / 'train' / 'empty').mkdir(parents=True)
    with pytest.raises(ValueError, match=r'Every class folder must hold a picture .*train/empty" holds none'):
        ClassFolders(data_root=str(tmp_path), data_prefix=dict(img_path='train'))
    (tmp_path / 'train' / 'empty').rmdir()
    with pytest.raises(ValueError, match='one sub-folder for each class and holds none'):
        ClassFolders(data_root=str(tmp_path), data_prefix=dict(img_path='train'))
    dataset = ClassFolders(data_root=str(class_folders), data_prefix=dict(img_path='val'))
    assert dataset.metainfo['classes'] == tuple(sorted(HUES))
    assert len(dataset) == 8 * len(HUES)
