"""What a mistake gets: one sentence that says what is wrong and what to do, exit status 2, and no frames."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from tiny_coco import ROOT, coco_content, write_annotations, write_coco, write_config
from torch import nn

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


@pytest.fixture
def own_data(data, tmp_path):
    """A copy of the data, to be spoiled."""
    return shutil.copytree(data, tmp_path / 'coco')


def assert_one_sentence(status, output, *parts):
    assert 'Traceback' not in output
    sentences = [line for line in output.splitlines() if line.startswith('error: ')]
    assert len(sentences) == 1, output[-2000:]
    assert output.rstrip().splitlines()[-1] == sentences[0]  # nothing after it
    for part in parts:
        assert part in sentences[0]
    assert status == 2


OPTIONS = {
    'wrong key': ('model.backbone.no_such_key=1', ['no_such_key', 'cannot be built']),
    'unknown type': ('model.backbone.type=NoSuchNetwork', ['NoSuchNetwork', 'cannot be built']),
    'value out of range': ('model.backbone.conv_cfg.num_kernels=0', ['num_kernels must be at least 1']),
    'rule that matches nothing': (
        'model.backbone.dynamic_convs=[layer99.*]',
        ['must match at least one convolution of DyResNet', 'layer99.*', 'its convolutions are named'],
    ),
    'place that is not there': ('model.backbone.type.deeper.still=1', ['option cannot be applied']),
    'missing data folder': ('train_dataloader.dataset.data_root=nowhere/', ['nowhere/annotations', 'docs/data.md']),
    'missing annotations': ('train_dataloader.dataset.ann_file=none.json', ['annotation file', 'none.json']),
    'missing boxes': ('val_dataloader.dataset.bbox_file=none.json', ['detector boxes', 'none.json', '--gt-boxes']),
    'unknown data set': ('train_dataloader.dataset.type=NoDataset', ['NoDataset']),
    'wrong key of the data': ('train_dataloader.no_such_key=1', ['no_such_key']),
    'wrong key of the schedule': ('param_scheduler.0.no_such_key=1', ['no_such_key', 'cannot be built']),
    'unknown step of the data': ('val_dataloader.dataset.pipeline.0.type=NoStep', ['NoStep', 'cannot be built']),
    'folding that dynamic layers do not have': ('efficient_conv_bn_eval=[backbone]', ['efficient_conv_bn_eval must']),
    'half precision in validation': ('val_cfg.fp16=True', ['val_cfg.fp16 needs a GPU']),
    'unknown optimiser': (
        'optim_wrapper.optimizer.type=NoOptimizer',
        ['The optim_wrapper of the config cannot be built'],
    ),
}


@pytest.mark.parametrize('case', OPTIONS)
def test_options_of_training(run_tool, data, tmp_path, monkeypatch, case):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    option, parts = OPTIONS[case]
    config = write_config(tmp_path / 'config.py', data)
    assert_one_sentence(*run_tool('train.py', config, '--cfg-options', option), *parts)


@pytest.mark.parametrize('tool', ['train.py', 'dataset_converters/check_dataset.py'])
def test_missing_config(run_tool, tool):
    assert_one_sentence(*run_tool(tool, 'none.py'), 'none.py', 'docs/models.md')


def test_config_that_is_no_python(run_tool, tmp_path):
    (tmp_path / 'config.py').write_text('model = dict(')
    assert_one_sentence(*run_tool('train.py', 'config.py'), 'config.py')


def test_options_that_cannot_be_followed_are_refused_first(run_tool, data, tmp_path):
    config = write_config(tmp_path / 'config.py', data, auto_scale_lr=None)
    test = run_tool('test.py', config, 'none.pth', '--gt-boxes', '--out', 'scores.txt')
    assert_one_sentence(*test, '--out must name a .json', 'scores.txt')
    assert_one_sentence(*run_tool('train.py', config, '--auto-scale-lr'), 'base_batch_size')


def test_nothing_to_resume_from(run_tool, data, tmp_path):
    config = write_config(tmp_path / 'config.py', data)
    assert_one_sentence(*run_tool('train.py', config, '--resume', '--work-dir', 'empty'), 'empty', 'without --resume')
    assert_one_sentence(*run_tool('train.py', config, '--resume', 'none.pth'), 'none.pth')


def without_keypoints(content):
    for annotation in content['annotations']:
        del annotation['keypoints']


def with_box_outside(content):
    content['annotations'][2]['bbox'] = [500, 500, 10, 10]


def with_other_skeleton(content):
    for annotation in content['annotations']:
        annotation['keypoints'] = annotation['keypoints'][:42]


ANNOTATIONS = {
    'no keypoints': (without_keypoints, ['no annotation has "keypoints"', '17 keypoints each']),
    'box outside': (with_box_outside, ['1 boxes lie outside', 'annotation 3']),
    '14 keypoints': (with_other_skeleton, ['17 keypoints', '8 annotations']),
}


@pytest.mark.parametrize('case', ANNOTATIONS)
def test_annotations(run_tool, own_data, tmp_path, case):
    spoil, parts = ANNOTATIONS[case]
    content = coco_content()
    spoil(content)
    write_annotations(own_data, content)
    config = write_config(tmp_path / 'config.py', own_data)
    remedy = f'tools/dataset_converters/check_dataset.py {config}'
    assert_one_sentence(*run_tool('train.py', config), 'person_keypoints_train2017.json', remedy, *parts)
    assert not (tmp_path / 'work_dirs').exists()
    status, output = run_tool('dataset_converters/check_dataset.py', config)
    assert status == 1
    assert 'Traceback' not in output


def test_annotations_that_are_no_json(run_tool, own_data, tmp_path):
    (own_data / 'annotations/person_keypoints_train2017.json').write_text('{"images": [')
    config = write_config(tmp_path / 'config.py', own_data)
    assert_one_sentence(*run_tool('train.py', config), 'no valid JSON', 'person_keypoints_train2017.json')


def spoil_image(path, how):
    content = path.read_bytes()
    if how == 'words':
        path.write_text('no image')
    else:
        path.write_bytes({'empty': b'', 'half': content[: len(content) // 2]}[how])


@pytest.mark.parametrize(
    ('how', 'num_workers', 'reason'),
    [('empty', 0, 'the file is empty'), ('words', 1, 'it is no image'), ('half', 0, 'damaged')],
)
def test_unreadable_image_in_training(run_tool, own_data, tmp_path, how, num_workers, reason):
    spoil_image(own_data / 'train2017/000000000002.jpg', how)
    config = write_config(tmp_path / 'config.py', own_data)
    status, output = run_tool(
        'train.py', config, '--work-dir', 'work', '--cfg-options', f'train_dataloader.num_workers={num_workers}'
    )
    parts = ['train2017/000000000002.jpg', reason, f'tools/dataset_converters/check_dataset.py {config} --images']
    assert_one_sentence(status, output, *parts)


def test_unreadable_image_in_a_test(run_tool, own_data, tmp_path):
    spoil_image(own_data / 'val2017/000000000003.jpg', 'words')
    config = write_config(tmp_path / 'config.py', own_data)
    checkpoint = write_checkpoint(config, tmp_path)
    status, output = run_tool('test.py', config, checkpoint, '--gt-boxes')
    assert_one_sentence(status, output, 'val2017/000000000003.jpg', 'no image')


def write_checkpoint(config, folder, options=None):
    from dyconv_pose.apis import build_model, load_config

    torch.save(dict(state_dict=build_model(load_config(config, options)).state_dict()), folder / 'good.pth')
    return folder / 'good.pth'


def test_checkpoints(run_tool, data, tmp_path):
    config = write_config(tmp_path / 'config.py', data)
    assert_one_sentence(*run_tool('test.py', config, 'none.pth', '--gt-boxes'), 'none.pth', 'existing file')
    (tmp_path / 'text.pth').write_text('weights')
    assert_one_sentence(*run_tool('test.py', config, 'text.pth', '--gt-boxes'), 'not a whole file', 'text.pth')
    torch.save(nn.Conv2d(3, 3, 1).state_dict(), tmp_path / 'other.pth')
    sentence = run_tool('test.py', config, 'other.pth', '--gt-boxes')
    assert_one_sentence(*sentence, 'does not fit', 'such as weight')
    torch.save({'state_dict': {}, 'more': os.getcwd}, tmp_path / 'code.pth')
    assert_one_sentence(*run_tool('test.py', config, 'code.pth', '--gt-boxes'), '--trust-checkpoint')


INIT_CFG = 'model.backbone.init_cfg'
OTHER_K = {
    'load_from': ['load_from={}'],
    'Pretrained': [f'{INIT_CFG}.type=Pretrained', f'{INIT_CFG}.checkpoint={{}}', f'{INIT_CFG}.prefix=backbone.'],
    'WarmStart': [f'{INIT_CFG}.type=WarmStart', f'{INIT_CFG}.checkpoint={{}}', f'{INIT_CFG}.prefix=backbone.'],
    'test': None,
}


@pytest.mark.parametrize('case', OTHER_K)
def test_checkpoint_with_another_number_of_kernels(run_tool, data, tmp_path, case):
    config = write_config(tmp_path / 'config.py', data)
    path = write_checkpoint(config, tmp_path, {'model.backbone.conv_cfg.num_kernels': 2})
    options = [option.format(path) for option in OTHER_K[case] or ()]
    if case == 'test':
        status, output = run_tool('test.py', config, path, '--gt-boxes')
    else:
        status, output = run_tool('train.py', config, '--work-dir', 'work', '--cfg-options', *options)
    parts = ['static twin'] if case == 'WarmStart' else ['K=3', 'K=2', 'num_kernels=2']
    assert_one_sentence(status, output, *parts)


def test_loss_that_is_no_number(run_tool, data, tmp_path):
    config = write_config(tmp_path / 'config.py', data, param_scheduler=[])
    options = ['optim_wrapper.optimizer.lr=1e37', 'default_hooks.checkpoint.interval=-1']
    status, output = run_tool('train.py', config, '--work-dir', 'work', '--cfg-options', *options)
    assert_one_sentence(status, output, 'of epoch 1 (learning rate 1e+37)', 'non_finite_loss.json')
    assert (tmp_path / 'work/non_finite_loss.json').is_file()


def test_warnings_do_not_stop_and_undefined_scores_are_explained(run_tool, own_data, tmp_path):
    content = coco_content()
    content['annotations'][2]['num_keypoints'] = 3
    write_annotations(own_data, content)
    for annotation in content['annotations']:
        annotation.update(area=50.0**2, num_keypoints=17)
    write_annotations(own_data, content, 'val2017')
    config = write_config(tmp_path / 'config.py', own_data, train_cfg=dict(max_epochs=1, val_interval=1))
    status, output = run_tool('train.py', config, '--gt-boxes', '--amp', '--work-dir', 'work')
    assert (status or 0) == 0, output[-2000:]
    assert 'AP (L), AR (L) of -1 means "undefined"' in output
    status, output = run_tool('dataset_converters/check_dataset.py', config, '--gt-boxes')
    assert status == 0
    assert 'No errors; 2 kinds of warning' in output
    assert 'annotation 3' in output and 'area-range' in output


@pytest.mark.slow
@pytest.mark.parametrize('how', ['empty', 'words', 'half'])
def test_the_command_itself(own_data, tmp_path, how):
    """As a user types it, with two worker processes."""
    spoil_image(own_data / 'train2017/000000000002.jpg', how)
    config = write_config(tmp_path / 'config.py', own_data)
    command = [
        sys.executable,
        str(ROOT / 'tools/train.py'),
        str(config),
        '--cfg-options',
        'train_dataloader.num_workers=2',
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert_one_sentence(done.returncode, done.stdout + done.stderr, '000000000002.jpg')


def test_config_of_an_older_version(tmp_path, data):
    """It names the package in custom_imports, which registered everything then."""
    from dyconv_pose.apis import load_config

    imports = dict(imports=['dyconv_pose', 'json'], allow_failed_imports=False)
    config = load_config(write_config(tmp_path / 'config.py', data, custom_imports=imports))
    assert config.custom_imports.imports == ['dyconv_pose.registration', 'json']
