"""The networks that ship, on photographs: right to the eye, nobody where nobody is, and one command for it."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

import dyconv_pose
from dyconv_pose.resources import NETWORKS, folder

pytest.importorskip('onnxruntime')

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ROOT / 'demo/photographs'
#: COCO's annotations of the persons on the photographs, by file name: bbox, area, keypoints (x, y, v for each).
MARKED = json.loads(Path(__file__).with_name('photographs.json').read_text())
#: Keypoints found within a tenth of the longer side of a person's box, over all persons.
LOWEST_PCK = 0.85


def shipped():
    return [name for name, file in NETWORKS.items() if (folder('checkpoints') / file).is_file()]


@pytest.fixture(scope='module', params=shipped())
def estimator(request):
    return dyconv_pose.load_estimator(request.param)


def similarity(poses, marked, sigmas):
    """Object keypoint similarity (N,) of persons to a marked one, by COCO's formula."""
    points = np.array(marked['keypoints']).reshape(-1, 3)
    is_marked = points[:, 2] > 0
    squared = ((poses.keypoints - points[:, :2]) ** 2).sum(axis=2)[:, is_marked]
    variances = (2 * np.array(sigmas)[is_marked]) ** 2
    return np.exp(-squared / variances / marked['area'] / 2).mean(axis=1)


def test_marked_persons_are_found_with_their_keypoints(estimator):
    hits, similarities = [], []
    for name, persons in MARKED.items():
        poses = estimator.predict(PHOTOGRAPHS / name)
        for marked in persons:
            found = similarity(poses, marked, estimator.keypoint_set.sigmas)
            similarities.append(found.max())
            points = np.array(marked['keypoints']).reshape(-1, 3)
            distance = np.linalg.norm(poses.keypoints[found.argmax()] - points[:, :2], axis=1)
            hits += (distance < 0.1 * max(marked['bbox'][2:]))[points[:, 2] > 0].tolist()
    assert np.mean(hits) >= LOWEST_PCK
    assert np.min(similarities) > 0.4 and np.median(similarities) > 0.8


#: Parts of the photographs without a person: left, top, right, bottom.
EMPTY = {
    '000000000790.jpg': (110, 200, 330, 422),  # a laid table
    '000000165518.jpg': (0, 0, 612, 150),  # fog
    '000000234748.jpg': (0, 0, 265, 425),  # a car in front of a house
    '000000252219.jpg': (150, 0, 320, 428),  # a wall with writing, a trolley
}


each_network = pytest.mark.parametrize(
    'estimator',
    # a collapsed network is made of the other of its name, and finds the marked persons above
    [pytest.param(name, marks=[pytest.mark.slow] * ('-' in name)) for name in shipped()],
    indirect=True,
    scope='module',
)


@pytest.mark.slow
def test_the_graph_that_ships_is_that_of_todays_export(tmp_path):
    onnx = pytest.importorskip('onnx')
    from dyconv_pose.apis.estimator import load_model
    from dyconv_pose.deploy import export_onnx

    config = 'td-hm_dy-mobilenetv2-fpn_1xb32-1k-decay_photographs-256x192'
    checkpoint = folder('checkpoints') / 'td-hm_dy-mobilenetv2-fpn_photographs-256x192.pth'
    export_onnx(load_model(config, checkpoint), tmp_path / 'a.onnx', storage='float16')
    files = tmp_path / 'a.onnx', folder('checkpoints') / NETWORKS['x1.0']
    new, shipped = (Counter(node.op_type for node in onnx.load(file).graph.node) for file in files)
    assert new == shipped


@each_network
@pytest.mark.parametrize('name', EMPTY)
def test_nobody_is_found_where_nobody_is(estimator, name, request):
    if name == '000000252219.jpg' and request.node.callspec.params['estimator'] in ('x1.0', 'x1.0-collapsed'):
        request.applymarker(pytest.mark.xfail(reason='x1.0 takes a speck of nine pixels for a person', strict=True))
    left, top, right, bottom = EMPTY[name]
    part = cv2.imread(str(PHOTOGRAPHS / name))[top:bottom, left:right]
    assert len(estimator.predict(part, channel_order='bgr')) == 0


@each_network
@pytest.mark.parametrize('cells', [1, 4, 40])
def test_nobody_is_found_in_noise(estimator, cells):
    noise = np.random.default_rng(0).integers(0, 256, (3 * cells, 4 * cells, 3), np.uint8)
    image = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
    assert len(estimator.predict(image, channel_order='bgr')) == 0


def run_anywhere(*commands, cwd):
    """``python -m dyconv_pose infer`` where neither torch nor MMPose is installed; from a folder of the user.

    Returns:
        For each command, a tuple of arguments, its status, standard output and standard error.
    """
    program = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import util
find = util.find_spec
hidden = ('torch', 'mmpose', 'mmengine', 'mmcv')
sys.modules.update(dict.fromkeys(hidden))
util.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)
from dyconv_pose.__main__ import main
done = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ['dyconv_pose', 'infer', *arguments]
    status, output, errors = 0, io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
    done.append((status, output.getvalue(), errors.getvalue()))
print(json.dumps(done))
"""
    command = [sys.executable, '-c', program, json.dumps(commands, default=str)]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_photograph_is_all_that_is_needed(tmp_path):
    """From any folder and without torch; results have a place by default, which is named."""
    photograph = PHOTOGRAPHS / '000000234748.jpg'
    ((status, output, errors),) = run_anywhere((photograph,), cwd=tmp_path)
    assert status == 0, errors
    assert '1 image, 1 person:' in output and 'outputs/poses/results.json' in output
    assert 'replaced' not in output
    drawn = cv2.imread(str(tmp_path / 'outputs/poses/overlays/000000234748.jpg')).astype(int)
    changed = (np.abs(drawn - cv2.imread(str(photograph))) > 60).any(axis=2)
    left, top, width, height = map(int, MARKED[photograph.name][0]['bbox'])
    inside = changed[top : top + height, left : left + width].sum()
    assert inside > 500 and changed.sum() < 1.1 * inside

    cv2.imwrite(str(tmp_path / 'fog.png'), cv2.imread(str(PHOTOGRAPHS / '000000165518.jpg'))[:150])
    ((status, output, errors),) = run_anywhere(('fog.png',), cwd=tmp_path)
    assert status == 0, errors
    assert 'no person was found in fog.png' in output and 'are replaced' in output
    assert json.loads((tmp_path / 'outputs/poses/results.json').read_text()) == []


def test_mistakes_are_one_sentence_with_the_remedy(tmp_path):
    (tmp_path / 'text.jpg').write_text('no image')
    (tmp_path / 'outputs').touch()
    photograph = PHOTOGRAPHS / '000000234748.jpg'
    config = 'td-hm_dy-res18_8xb64-210e_coco-256x192'
    mistakes = (
        ((photograph,), 'name another one by --out-dir'),
        ((config, 'a.pth', photograph), 'export the network'),
        ((photograph, '--boxes', 'hog'), 'took the place of "hog"'),
        (('none.onnx', photograph), 'must be an existing ONNX file, got "none.onnx"'),
        (('none.onnx', photograph, '--model', 'x1.0'), '--model names a network that ships'),
        ((config, photograph), 'come its checkpoint and the inputs'),
        ((photograph, 'a.pth'), 'a.pth is no input: a network comes before all inputs'),
        (('td-hm_none', photograph), 'neither an input that exists nor a config'),
        ((photograph, '--max-frames', '0'), 'must be at least 1, got 0'),
        ((photograph, '--person-thr', '7'), 'must be between 0 and 1, got 7'),
        ((photograph, '--ann-file', 'a.json'), 'belongs to COCO detections'),
        ((photograph, '--whole-image', '--box-thr', '0.5'), 'each image is one person'),
        (('*.none',), 'a pattern that matches files, got "*.none"'),
    )
    commands = [arguments for arguments, _ in mistakes]
    *found, unread = run_anywhere(*commands, ('text.jpg', '--out-dir', 'elsewhere'), cwd=tmp_path)
    for (arguments, message), (status, _, errors) in zip(mistakes, found, strict=True):
        assert status == 2 and message in errors.strip().splitlines()[-1], (arguments, errors)
    assert unread[0] == 1 and 'convert it to JPEG or PNG' in unread[2]


def test_missing_weights_are_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr('dyconv_pose.resources.folder', lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match='is missing: install or check the project out again'):
        dyconv_pose.load_estimator()


def test_what_belongs_to_a_checkpoint_is_refused_for_exported_networks():
    with pytest.raises(ValueError, match='belong to a config'):
        dyconv_pose.load_estimator('x1.75', 'mine.pth')
    with pytest.raises(ValueError, match='belong to a config'):
        dyconv_pose.load_estimator(device='cuda:0')
