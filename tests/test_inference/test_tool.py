"""``tools/infer.py`` as a user runs it, and its results scored as ``tools/test.py`` scores them."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from results_evaluation import ResultsEvaluation

from dyconv_pose.apis import build_model, load_config
from dyconv_pose.apis.config import use_ground_truth_boxes

ROOT = Path(__file__).parents[2]
CONFIG = (
    ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory, lively):
    """A checkpoint with random weights, and three images of two persons each with annotations, at random places."""
    folder = tmp_path_factory.mktemp('tool')
    torch.manual_seed(0)
    model = build_model(load_config(CONFIG))
    lively(model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'a.pth')
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (folder / 'images').mkdir()
    for index in range(1, 4):
        noise = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f'images/{index:012d}.jpg'), noise)
        images.append(dict(id=index, file_name=f'{index:012d}.jpg', width=320, height=240))
        for corner in (20.0, 150.0):
            keypoints = np.column_stack([rng.uniform(corner, corner + 80, (17, 2)), np.full(17, 2)]).ravel().tolist()
            annotations.append(
                dict(id=len(annotations) + 1, image_id=index, category_id=1, bbox=[corner, corner, 80.0, 100.0],
                     area=4e6, iscrowd=0, num_keypoints=17, keypoints=keypoints)
            )  # fmt: skip
    categories = [dict(id=1, name='person', keypoints=['nose'] * 17, skeleton=[])]
    truth = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'truth.json').write_text(json.dumps(truth))
    return folder


@pytest.fixture
def infer(monkeypatch, capsys):
    """Runs the tool in this process; gives its exit status and what it wrote to the error stream."""

    def run(*arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, 'argv', ['infer.py', *(str(argument) for argument in arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / 'tools/infer.py'), run_name='__main__')
        return ended.value.code, capsys.readouterr().err

    return run


def test_results_score_as_mmposes_evaluation_does(folder, infer):
    boxes = folder / 'truth.json'
    status, error = infer(CONFIG, folder / 'a.pth', folder / 'images', '--boxes', boxes, '--out-dir', folder / 'o')
    assert status == 0, error
    found = ResultsEvaluation(folder / 'truth.json', folder / 'o/results.json').figures
    config = use_ground_truth_boxes(load_config(CONFIG))
    config.test_dataloader.update(num_workers=0, persistent_workers=False, batch_size=6)
    config.test_dataloader.dataset.update(
        data_root='', ann_file=str(folder / 'truth.json'), data_prefix=dict(img=str(folder / 'images'))
    )
    config.test_evaluator.ann_file = str(folder / 'truth.json')
    config.update(work_dir=str(folder / 'work'), load_from=str(folder / 'a.pth'), log_level='ERROR')
    expected = Runner.from_cfg(config).test()
    assert expected['coco/AP'] > 0
    assert {f'coco/{name}': value for name, value in found.items()} == pytest.approx(expected, abs=1e-9)


def test_a_bad_file_is_named_and_the_exit_status_says_so(folder, infer):
    (folder / 'mixed').mkdir()
    (folder / 'mixed/bad.jpg').write_text('no image')
    (folder / 'mixed/good.jpg').write_bytes((folder / 'images/000000000001.jpg').read_bytes())
    options = ('--whole-image', '--heatmaps', '--out-dir', folder / 'm')
    status, error = infer(CONFIG, folder / 'a.pth', folder / 'mixed', *options)
    assert status == 1
    assert 'bad.jpg' in error
    assert len(json.loads((folder / 'm/results.json').read_text())) == 1
    assert (folder / 'm/overlays/good.jpg').is_file() and (folder / 'm/heatmaps/good.jpg').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('none.py', 'a.pth', 'images'), 'none.py'),
        ((CONFIG, 'none.pth', 'images'), 'none.pth'),
        ((CONFIG, 'a.pth', 'none'), 'none'),
        ((CONFIG, 'a.pth', 'images', '--boxes', 'none.json'), 'none.json'),
        ((CONFIG, 'a.pth', 'images', '--batch-size', '0'), 'batch size'),
        ((CONFIG, 'a.pth', 'images', '--device', 'nosuch'), 'device'),
    ],
)
def test_a_mistake_is_one_sentence(folder, infer, arguments, message):
    places = [folder / one if (folder / str(one)).exists() else one for one in arguments]
    status, error = infer(*places, '--out-dir', folder / 'x')
    assert status == 2
    last = error.strip().splitlines()[-1]
    assert last.startswith('error: ') and message in last
