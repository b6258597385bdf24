"""Every option that a tool offers is used once, with the pinned versions; a new one fails here until it is."""

import re

import cv2
import numpy as np
import pytest
import torch
from small_network import stir
from tiny_coco import write_coco, write_config

from dyconv_pose.apis import build_model, load_config

pytestmark = pytest.mark.filterwarnings('ignore')

TRUTH = 'coco/annotations/person_keypoints_val2017.json'
RESULTS, IMAGE = 'found/results.json', 'coco/val2017/000000000001.jpg'
COMMON = '--gt-boxes --launcher none --local_rank 0 --trust-checkpoint'
OPTIONS = '--cfg-options train_dataloader.batch_size=8'

#: For each tool its commands; CONFIG and CHECKPOINT are those of a tiny network, other files lie in the same folder.
COMMANDS = {
    'train.py': [
        f'CONFIG --work-dir work --show-dir drawn --interval 3 --no-validate --auto-scale-lr {COMMON} {OPTIONS}',
        f'CONFIG --work-dir work --resume --amp --show --wait-time 0 --show-dir drawn --interval 3 {COMMON} {OPTIONS} '
        'train_cfg.max_epochs=2',
    ],
    'test.py': [
        f'CONFIG CHECKPOINT --work-dir work --show-dir drawn --interval 3 --out m.json --dump p.pkl {COMMON}',
        f'CONFIG CHECKPOINT --work-dir work --show --wait-time 0 {COMMON} {OPTIONS}',
    ],
    'infer.py': [
        f'CONFIG CHECKPOINT {IMAGE} --out-dir found --boxes {TRUTH} --ann-file {TRUTH} --box-thr 0.1 --batch-size 2 '
        '--draw-boxes --heatmaps --show --kpt-thr 0.1 --nms-thr 0.8 --flip-test --device cpu --trust-checkpoint',
        f'CONFIG CHECKPOINT {IMAGE} --out-dir found --whole-image --no-overlays --detect-every 2 --max-frames 2',
        f'model.onnx {IMAGE} --out-dir found --boxes {TRUTH} --backend onnxruntime --no-flip-test',
        f'{IMAGE} --model x1.0 --person-thr 0.4 --out-dir shipped',
    ],
    'export.py': [
        f'CONFIG CHECKPOINT --out model.onnx --batch 1 --opset 18 --weights float16 --images {IMAGE} '
        '--with-attention --trust-checkpoint',
        'CONFIG CHECKPOINT --out static.onnx --collapse --max-loss 1 --persons 8 --kinds depthwise',
    ],
    'eval_results.py': [
        f'{TRUTH} {RESULTS} --config CONFIG --images coco/val2017 --worst 2 --out-dir scored',
    ],
    'dataset_converters/check_dataset.py': ['CONFIG --splits train val --images --gt-boxes --json findings.json'],
    'model_converters/publish_model.py': ['CHECKPOINT small.pth --half --trust-checkpoint --average CHECKPOINT'],
}


#: What a tool reads that another one writes: the file, the other tool.
NEEDS = {'infer.py': ('model.onnx', 'export.py'), 'eval_results.py': (RESULTS, 'infer.py')}
SLOW = ('export.py', 'infer.py')  # an export takes ten seconds


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Tiny data, a config of a tiny network on them, and a checkpoint."""
    folder = tmp_path_factory.mktemp('tools')
    write_coco(folder / 'coco')
    write_config(
        folder / 'config.py',
        folder / 'coco',
        train_cfg=dict(max_epochs=1, val_interval=1),
        auto_scale_lr=dict(base_batch_size=16),
        default_hooks=dict(checkpoint=dict(interval=1, save_best=None), visualization=dict(kpt_thr=-9.0)),
    )
    network = stir(build_model(load_config(folder / 'config.py')))
    torch.save(dict(state_dict=network.state_dict(), meta={}), folder / 'checkpoint.pth')
    return folder


@pytest.fixture
def windows(monkeypatch):
    """Windows that are only counted."""
    monkeypatch.setenv('DISPLAY', ':0')
    shown = []
    for name in ('namedWindow', 'setWindowTitle', 'destroyAllWindows'):
        monkeypatch.setattr(cv2, name, lambda *args, **kwargs: None)
    monkeypatch.setattr(cv2, 'imshow', lambda name, image: shown.append(image))
    monkeypatch.setattr(cv2, 'waitKey', lambda delay=0: -1)
    return shown


@pytest.mark.parametrize(
    'tool', [pytest.param(tool, marks=[pytest.mark.slow] if tool in SLOW else []) for tool in COMMANDS]
)
def test_every_option(folder, run_tool, windows, monkeypatch, tool):
    if tool in ('infer.py', 'export.py'):
        pytest.importorskip('onnxscript')
    monkeypatch.chdir(folder)
    names = {'CONFIG': folder / 'config.py', 'CHECKPOINT': folder / 'checkpoint.pth'}
    file, writer = NEEDS.get(tool, (tool, None))
    if writer and not (folder / file).is_file():
        run_tool(writer, *(names.get(word, word) for word in COMMANDS[writer][0].split()))
        windows.clear()
    for command in COMMANDS[tool]:
        status, output = run_tool(tool, *(names.get(word, word) for word in command.split()))
        assert (status or 0) == 0, f'{command}\n{output[-3000:]}'
        assert bool(windows) == ('--show ' in f'{command} '), command
        windows.clear()


@pytest.mark.parametrize('tool', COMMANDS)
def test_no_option_is_left_out(run_tool, tool):
    status, offered = run_tool(tool, '--help')
    assert status == 0
    used = {word for command in COMMANDS[tool] for word in command.split() if word.startswith('--')}
    offered = set(re.findall(r'(?<![\w-])--[a-z][\w-]*', offered)) - {'--help', '--local-rank'}
    assert offered == used


def test_drawn_predictions_are_where_they_are_asked_for(folder, run_tool, monkeypatch):
    monkeypatch.chdir(folder)
    for tool, arguments in (('test.py', ['checkpoint.pth']), ('train.py', [])):
        run_tool(tool, 'config.py', *arguments, '--gt-boxes', '--work-dir', 'work', '--show-dir', tool, '--interval', 3)
        files = sorted(path.relative_to(folder / tool).as_posix() for path in (folder / tool).rglob('*.*'))
        assert files == ['000000000001_0.jpg', '000000000002_0.jpg', '000000000004_0.jpg']  # of eight persons
        drawn, plain = (cv2.imread(str(path)) for path in (folder / tool / files[0], folder / IMAGE))
        difference = np.abs(drawn[:120].astype(int) - plain).max(axis=2)
        assert (difference > 60).mean() > 0.01  # points and limbs


def test_a_window_needs_a_display(folder, run_tool, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    status, output = run_tool('test.py', 'config.py', 'checkpoint.pth', '--gt-boxes', '--show')
    assert status == 2
    assert output.rstrip().splitlines()[-1].startswith('error: --show needs a display')
