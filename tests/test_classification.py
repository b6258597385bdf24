"""Image classification by MMPretrain, where it is installed: configs, training, one image, and what comes of it."""

import os
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest
import torch
from analysis_tools.costs.comparison import count_imagenet
from analysis_tools.costs.counter import count
from analysis_tools.costs.estimators import count_config, input_size_of
from analysis_tools.costs.paper import IMAGENET
from classify import classify
from dataset_converters.make_class_folders import HUES, make_class_folders
from mmpose.registry import MODELS

from dyconv_pose import apis
from dyconv_pose.apis import build_model, load_config
from dyconv_pose.layers import dynamic_layers

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'classification'
SMALL = CONFIGS / 'small' / 'dy-mobilenetv2-x0.35_1xb16-10e_folder-64x64.py'

needs_mmpretrain = pytest.mark.skipif(find_spec('mmpretrain') is None, reason='MMPretrain is not installed')


@pytest.fixture(scope='module')
def class_folders(tmp_path_factory):
    root = tmp_path_factory.mktemp('classes')
    make_class_folders(root)
    return root


def small_config(root, work_dir):
    splits = ('train', 'val', 'test')
    config = load_config(SMALL, {f'{split}_dataloader.dataset.data_root': str(root) for split in splits})
    config.work_dir = str(work_dir)
    return config


def test_every_row_of_the_paper_has_its_configs():
    expected = {f'{prefix}{row.config}' for row in IMAGENET for prefix in ('', 'dy-')}
    assert {path.stem for path in (CONFIGS / 'imagenet').glob('*.py')} == expected


def test_made_set(class_folders, tmp_path):
    make_class_folders(tmp_path, num_train=2, num_val=1)
    for name, hue in HUES.items():
        assert len(list((class_folders / 'train' / name).iterdir())) == 32
        assert len(list((class_folders / 'val' / name).iterdir())) == 8
        file = f'train/{name}/1.png'
        assert (tmp_path / file).is_file()
        hues = cv2.cvtColor(cv2.imread(str(class_folders / file)), cv2.COLOR_BGR2HSV)[..., 0].astype(int)
        assert (abs((hues - hue + 90) % 180 - 90) <= 2).all()
    first = 'train/red/0.png'
    assert (tmp_path / first).read_bytes() == (class_folders / first).read_bytes()
    make_class_folders(tmp_path, num_train=1, num_val=1, seed=1)
    assert (tmp_path / first).read_bytes() != (class_folders / first).read_bytes()
    with pytest.raises(ValueError, match='num_val=0'):
        make_class_folders(tmp_path, num_val=0)


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
        return subprocess.run([sys.executable, '-c', program], env=env, capture_output=True, text=True)

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
@pytest.mark.parametrize('row', IMAGENET, ids=lambda row: row.name)
def test_networks_are_those_of_the_paper(row):
    dynamic = build_model(load_config(CONFIGS / 'imagenet' / f'dy-{row.config}.py'))
    static = build_model(load_config(CONFIGS / 'imagenet' / f'{row.config}.py'))
    assert not list(dynamic_layers(static))
    images = torch.zeros(1, 3, 224, 224)
    for network, conv_cfg in ((dynamic, dict(type='DyConv2d')), (static, None)):
        cost, expected = count(network, images), count_imagenet(row, conv_cfg)
        assert (cost.params, cost.madds) == (expected.params, expected.madds)


@needs_mmpretrain
def test_images_are_normalised_as_in_training():
    preprocessor = build_model(load_config(SMALL)).data_preprocessor
    assert preprocessor.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert preprocessor.to_rgb


@needs_mmpretrain
def test_input_size_is_the_config_s():
    config = load_config(CONFIGS / 'imagenet' / f'dy-{IMAGENET[-1].config}.py')
    assert input_size_of(config) == (224, 224)
    cost, expected = count_config(config), count_imagenet(IMAGENET[-1])
    assert (cost.params, cost.madds) == (expected.params, expected.madds)
    assert cost.part('backbone').params < cost.params
    assert input_size_of(load_config(SMALL)) == (64, 64)


@needs_mmpretrain
@pytest.mark.slow
def test_learns_classifies_and_starts_a_keypoint_network(class_folders, tmp_path):
    config = small_config(class_folders, tmp_path / 'run')
    apis.train(config)
    checkpoint = tmp_path / 'run' / 'epoch_10.pth'
    accuracy = apis.test(small_config(class_folders, tmp_path / 'test'), checkpoint)
    assert accuracy['accuracy/top1'] > 60
    assert accuracy['accuracy/top5'] > 90

    image = class_folders / 'val' / 'green' / '0.png'
    (ranking,) = classify(small_config(class_folders, tmp_path / 'one'), checkpoint, [image], topk=10)
    assert {name for name, _ in ranking} == set(HUES)
    assert sum(score for _, score in ranking) == pytest.approx(1, abs=1e-4)
    assert ranking == sorted(ranking, key=lambda entry: -entry[1])
    config = small_config(class_folders, tmp_path / 'all')
    images = [class_folders / 'val' / name / '1.png' for name in HUES]
    found = [ranking[0][0] for ranking in classify(config, checkpoint, images, topk=1)]
    assert sum(name == expected for name, expected in zip(found, HUES, strict=True)) >= 4

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
def test_class_folder_without_images(class_folders, tmp_path):
    from dyconv_pose.datasets.classification_folders import ClassFolders

    (tmp_path / 'train' / 'empty').mkdir(parents=True)
    with pytest.raises(ValueError, match=r'Every class folder must hold an image .*train/empty" holds none'):
        ClassFolders(data_root=str(tmp_path), data_prefix=dict(img_path='train'))
    (tmp_path / 'train' / 'empty').rmdir()
    with pytest.raises(ValueError, match='one sub-folder for each class and holds none'):
        ClassFolders(data_root=str(tmp_path), data_prefix=dict(img_path='train'))
    dataset = ClassFolders(data_root=str(class_folders), data_prefix=dict(img_path='val'))
    assert dataset.metainfo['classes'] == tuple(sorted(HUES))
    assert len(dataset) == 8 * len(HUES)


MISTAKES = {
    'empty class': ('train.py', ['Every class folder must hold an image', 'train/empty" holds none', 'remove it']),
    'no data': ('train.py', ['The train set needs its folder at', 'none']),
    'no image': ('classify.py', ['The image must be an existing file', 'none.png']),
}


@needs_mmpretrain
@pytest.mark.parametrize('case', MISTAKES)
def test_mistakes_through_the_tools(class_folders, tmp_path, monkeypatch, capfd, case):
    tool, parts = MISTAKES[case]
    root = shutil.copytree(class_folders, tmp_path / 'classes')
    if case == 'empty class':
        (root / 'train' / 'empty').mkdir()
    options = f'train_dataloader.dataset.data_root={tmp_path / "none" if case == "no data" else root}'
    arguments = ['--cfg-options', options, f'val_dataloader.dataset.data_root={root}', 'work_dir=work']
    monkeypatch.setattr(sys, 'argv', [tool, str(SMALL), *(arguments if tool == 'train.py' else ['x.pth', 'none.png'])])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
    output = ''.join(capfd.readouterr())
    assert stop.value.code == 2
    assert 'Traceback' not in output
    (sentence,) = [line for line in output.splitlines() if line.startswith('error: ')]
    for part in parts:
        assert part in sentence
