"""The report on a config's data: every file of it is looked at, errors and warnings are found."""

import copy
import io
import json

import cv2
import numpy as np
import pytest
from dataset_converters.dataset_report import check_config, print_report, write_json
from dataset_converters.image_check import examine_image
from dataset_converters.synthetic_people import make_sample_set
from rich.console import Console
from tiny_coco import ROOT, coco_content, edited, tiny_config, without, write_annotations, write_coco


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


@pytest.fixture
def config(data, tmp_path):
    return tiny_config(data, tmp_path / 'work', **{f'{split}_dataloader.dataset.bbox_file': '' for split in ('val',)})


def only(findings):
    (found,) = findings
    return found


def test_config_in_order(config):
    assert check_config(config, decode_images=True) == []


def test_every_part_of_a_combined_set_is_checked(config, data, tmp_path):
    bad = tmp_path / 'bad.json'
    bad.write_text(json.dumps(without('keypoints')))
    part = config.train_dataloader.dataset
    second = copy.deepcopy(part)
    second.ann_file = str(bad)
    combined = dict(type='RepeatDataset', times=2, dataset=dict(type='CombinedDataset', datasets=[part, second]))
    config.train_dataloader.dataset = combined
    found = [found for found in check_config(config, ('train',)) if found.rule == 'no-keypoints']
    assert only(found).file == str(bad)


def test_the_sets_metadata_counts(config):
    config.train_dataloader.dataset.type = 'CrowdPoseDataset'  # of 14 keypoints
    rules = {found.rule for found in check_config(config, ('train',))}
    assert {'keypoints-form', 'keypoint-names'} <= rules


def test_unknown_data_set(config):
    config.train_dataloader.dataset.type = 'NoDataset'
    with pytest.raises(ValueError, match='NoDataset'):
        check_config(config, ('train',))


def test_missing_images(config, data, tmp_path):
    content = coco_content(num_images=6)  # two more than there are files
    content['annotations'] = [entry for entry in content['annotations'] if entry['image_id'] != 6]
    extended = tmp_path / 'extended.json'
    extended.write_text(json.dumps(content))
    config.train_dataloader.dataset.ann_file = str(extended)
    findings = {found.severity: found for found in check_config(config, ('train',))}
    assert findings['error'].examples == ('000000000005.jpg',)
    assert findings['warning'].examples == ('000000000006.jpg',)  # without persons, it is never read


def test_decoding(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    for suffix in ('.jpg', '.png'):
        whole = cv2.imencode(suffix, image)[1].tobytes()
        path = tmp_path / f'image{suffix}'
        path.write_bytes(whole)
        assert examine_image(path) == ('', (60, 40))
        for share in (0.3, 0.6, 0.99):
            path.write_bytes(whole[: int(share * len(whole))])
            assert examine_image(path)[0] == 'truncated'
        path.write_bytes(whole + b'\0' * 10)  # padded, as some cameras do
        assert examine_image(path)[0] == ''
        path.write_bytes(b'')
        assert examine_image(path)[0] == 'empty file'
        path.write_text('not a image')
        assert examine_image(path)[0] == 'no image'
    assert examine_image(tmp_path / 'none.jpg')[0] == 'No such file or directory'


def test_images_are_decoded_where_asked(tmp_path):
    folder = write_coco(tmp_path / 'coco')
    config = tiny_config(folder, tmp_path / 'work')
    (folder / 'train2017/000000000001.jpg').write_bytes(b'')
    (folder / 'train2017/000000000002.jpg').write_bytes((folder / 'train2017/000000000002.jpg').read_bytes()[:2000])
    cv2.imwrite(str(folder / 'train2017/000000000003.jpg'), np.zeros((10, 10, 3), np.uint8))
    assert [found.rule for found in check_config(config)] == ['image-size']  # the headers are read in any case
    done = []
    findings = check_config(config, ('train',), decode_images=True, on_progress=lambda *where: done.append(where))
    assert [found.rule for found in findings] == ['unreadable-image', 'truncated-image', 'image-size']
    assert done[-1] == (f'{folder}/train2017', 4)


GOOD_BOX = dict(image_id=1, category_id=1, bbox=[5.0, 5.0, 50.0, 60.0], score=0.9)
DETECTIONS = {
    'no list': ({'a': 1}, 'form'),
    'no dictionaries': ([1], 'form'),
    'no score': ([{key: GOOD_BOX[key] for key in ('image_id', 'category_id', 'bbox')}], 'form'),
    'no persons': ([GOOD_BOX | dict(category_id=2)], 'no-persons'),
    'unknown image': ([GOOD_BOX, GOOD_BOX | dict(image_id=77)], 'unknown-image'),
    'short box': ([GOOD_BOX | dict(bbox=[1, 2])], 'box-form'),
    'NaN score': ([GOOD_BOX | dict(score=float('nan'))], 'score-form'),
    'corners': ([GOOD_BOX | dict(bbox=[80, 60, 150, 110])], 'box-outside'),
    'negative': ([GOOD_BOX | dict(bbox=[80, 60, -1, 110])], 'box-size'),
}


@pytest.mark.parametrize('case', DETECTIONS)
def test_detections(config, tmp_path, case):
    content, rule = DETECTIONS[case]
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(content))
    config.val_dataloader.dataset.bbox_file = str(path)
    errors = [found for found in check_config(config, ('val',)) if found.severity == 'error']
    assert only(errors).rule == rule
    assert only(errors).file == str(path)


def test_good_detections(config, tmp_path):
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps([GOOD_BOX | dict(image_id=image_id) for image_id in (1, 2, 3)]))
    config.val_dataloader.dataset.bbox_file = str(path)
    found = only(check_config(config, ('val',)))
    assert (found.rule, found.severity, found.examples) == ('no-detections', 'warning', (4,))


def test_missing_files_are_said_first(config, data):
    config.val_dataloader.dataset.bbox_file = 'nowhere.json'
    with pytest.raises(FileNotFoundError, match=r'detector boxes at "nowhere.json".*--gt-boxes'):
        check_config(config)
    config.val_dataloader.dataset.bbox_file = ''
    config.train_dataloader.dataset.data_prefix.img = 'nowhere/'
    with pytest.raises(FileNotFoundError, match='image folder'):
        check_config(config)


def test_report(tmp_path):
    write_coco(tmp_path / 'coco')
    write_annotations(tmp_path / 'coco', edited(bbox=[200, 5, 10, 10], num_keypoints=16))
    findings = check_config(tiny_config(tmp_path / 'coco', tmp_path / 'work'))
    console = Console(record=True, width=160, file=io.StringIO())
    print_report(findings, console)
    text = console.export_text()
    for part in ('box-outside', 'num-keypoints', 'annotation 2', '1 kinds of error', 'person_keypoints_train2017.json'):
        assert part in text
    write_json(findings, tmp_path / 'findings.json')
    assert [entry['rule'] for entry in json.loads((tmp_path / 'findings.json').read_text())] == [
        'box-outside',
        'num-keypoints',
    ]


def test_sample_set_is_in_order(tmp_path):
    make_sample_set(tmp_path / 'set', 3, 3, 0)
    findings = check_config(tiny_config(tmp_path / 'set', tmp_path / 'work'), decode_images=True)
    assert not [found for found in findings if found.severity == 'error']


@pytest.mark.skipif(not (ROOT / 'data/coco/annotations').is_dir(), reason='data/coco is not there')
def test_photographs_are_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = tiny_config(ROOT / 'data/coco', tmp_path)
    findings = check_config(config)
    if (ROOT / 'data/coco/annotations/lspet_train.json').exists():
        config.train_dataloader.dataset.ann_file = 'annotations/lspet_train.json'
        config.train_dataloader.dataset.data_prefix.img = 'lspet/'
        findings += check_config(config, ('train',))
    assert not [found for found in findings if found.severity == 'error']
