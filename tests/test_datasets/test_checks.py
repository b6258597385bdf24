"""Checks of the data: every rule finds what breaks it, what is in order gives nothing, and errors stop."""

import copy
import io
import json
import time

import cv2
import numpy as np
import pytest
from rich.console import Console
from tiny_coco import NAMES, ROOT, coco_content, tiny_config, write_annotations, write_coco

from dyconv_pose.datasets.annotations import ABSENT, MALFORMED, PRESENT, number_rows, read_annotations
from dyconv_pose.datasets.check_report import print_report, write_json
from dyconv_pose.datasets.checks import check_config, stop_at_errors
from dyconv_pose.datasets.images import examine_image
from dyconv_pose.datasets.rules import Context, check_table
from dyconv_pose.datasets.synthetic import make_sample_set


def rules_of(content, path, is_scored=True):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    table, findings = read_annotations(path, len(NAMES))
    if table is not None:
        findings = check_table(table, Context(NAMES, is_scored))
    return {(found.rule, found.severity): found for found in findings}


def edited(**changes):
    """The annotations with changes to the second one; ``None`` removes a key."""
    content = coco_content()
    for key, value in changes.items():
        if value is None:
            del content['annotations'][1][key]
        else:
            content['annotations'][1][key] = value
    return content


def every(**changes):
    content = coco_content()
    for annotation in content['annotations']:
        annotation.update(changes)
    return content


def without(key):
    content = coco_content()
    for annotation in content['annotations']:
        del annotation[key]
    return content


def with_image(**changes):
    content = coco_content()
    content['images'][0].update(changes)
    return content


def with_category(**changes):
    content = coco_content()
    content['categories'][0].update(changes)
    return content


POINTS = coco_content()['annotations'][1]['keypoints']

CASES = {
    'no keypoints at all': (without('keypoints'), 'no-keypoints', 'error'),
    'no keypoints in one': (edited(keypoints=None), 'missing-keypoints', 'warning'),
    '16 keypoints': (edited(keypoints=POINTS[3:]), 'keypoint-count', 'error'),
    'two numbers a keypoint': (edited(keypoints=POINTS[:34]), 'keypoint-count', 'error'),
    'words for keypoints': (edited(keypoints=['a'] * 51), 'keypoint-count', 'error'),
    'NaN keypoint': (edited(keypoints=[float('nan'), *POINTS[1:]]), 'not-finite', 'error'),
    'infinite box': (edited(bbox=[0, 0, float('inf'), 5]), 'not-finite', 'error'),
    'infinite area': (edited(area=float('inf')), 'not-finite', 'error'),
    'negative visibility': (edited(keypoints=[*POINTS[:2], -1, *POINTS[3:]]), 'visibility', 'error'),
    'visibility 3': (edited(keypoints=[*POINTS[:2], 3, *POINTS[3:]]), 'visibility', 'warning'),
    'point just outside': (edited(keypoints=[163, *POINTS[1:]]), 'keypoints-outside', 'warning'),
    'points of another image size': (every(keypoints=[400, 400, 2] * 17), 'keypoints-outside', 'error'),
    'no boxes at all': (without('bbox'), 'no-boxes', 'error'),
    'no box in one': (edited(bbox=None), 'missing-box', 'warning'),
    'three numbers a box': (edited(bbox=[1, 2, 3]), 'box-form', 'error'),
    'null in a box': (edited(bbox=[1, 2, 3, None]), 'box-form', 'error'),
    'negative width': (edited(bbox=[50, 5, -10, 10]), 'box-size', 'error'),
    'empty box': (edited(bbox=[50, 5, 0, 10]), 'box-size', 'warning'),
    'box outside': (edited(bbox=[200, 5, 10, 10]), 'box-outside', 'error'),
    'box left of the image': (edited(bbox=[-20, 5, 10, 10]), 'box-outside', 'error'),
    'box beyond the border': (edited(bbox=[100, 5, 70, 10]), 'box-outside', 'warning'),
    'corners for sizes': (every(bbox=[80, 60, 150, 110]), 'box-outside', 'error'),
    'shares for pixels': (every(bbox=[0.1, 0.1, 0.5, 0.5]), 'box-unit', 'error'),
    'no area': (edited(area=None), 'missing-area', 'error'),
    'zero area': (edited(area=0), 'zero-area', 'warning'),
    'area in words': (edited(area='large'), 'area-form', 'error'),
    'no count': (edited(num_keypoints=None), 'missing-num_keypoints', 'error'),
    'wrong count': (edited(num_keypoints=16), 'num-keypoints', 'warning'),
    'no crowd flag': (edited(iscrowd=None), 'missing-iscrowd', 'error'),
    'same annotation id': (edited(id=1), 'duplicate-id', 'error'),
    'annotation id 0': (edited(id=0), 'id-zero', 'warning'),
    'same image id': (with_image(id=2), 'duplicate-id', 'error'),
    'unknown image': (edited(image_id=99), 'unknown-image', 'error'),
    'image without width': (with_image(width=0), 'image-size', 'error'),
    'image id in words': (with_image(id='one'), 'form', 'error'),
    'huge image id': (with_image(id=10**30), 'form', 'error'),
    'no file name': (with_image(file_name=None), 'form', 'error'),
    'unlisted category': (edited(category_id=3), 'category', 'error'),
    'category 7': (every(category_id=7) | dict(categories=[dict(id=7, name='person')]), 'category', 'warning'),
    'other number of names': (with_category(keypoints=NAMES[:14]), 'keypoint-names', 'error'),
    'other order of names': (with_category(keypoints=NAMES[::-1]), 'keypoint-names', 'error'),
    'other name': (with_category(keypoints=['snout', *NAMES[1:]]), 'keypoint-names', 'warning'),
    'nobody labelled': (every(keypoints=[0] * 51, num_keypoints=0), 'no-persons', 'error'),
    'crowds only': (every(iscrowd=1), 'no-persons', 'error'),
    'no annotations': (coco_content() | dict(annotations=[]), 'no-persons', 'error'),
    'nobody large': (every(area=50.0**2), 'area-range', 'warning'),
    'no JSON': ('{"images": [', 'json', 'error'),
    'a list': ([1, 2], 'form', 'error'),
    'no images': ({'annotations': []}, 'form', 'error'),
    'annotations of numbers': (coco_content() | dict(annotations=[1, 2]), 'form', 'error'),
}


@pytest.mark.parametrize('case', CASES)
def test_rule_finds_what_breaks_it(tmp_path, case, record):
    content, rule, severity = CASES[case]
    found = rules_of(content, tmp_path / 'a.json')
    assert (rule, severity) in found
    assert found[rule, severity].count >= 1
    assert found[rule, severity].sentence
    record('spoiled annotations', **{case: severity})


def test_what_is_in_order_gives_nothing(tmp_path):
    assert rules_of(coco_content(), tmp_path / 'a.json') == {}


def test_what_coco_itself_has_is_no_error(tmp_path):
    """Crowds and persons without points, points a little outside, fractional boxes up to the border."""
    content = coco_content()
    content['annotations'][0].update(iscrowd=1, keypoints=[0] * 51, num_keypoints=0, segmentation={'counts': []})
    content['annotations'][1].update(keypoints=[0] * 51, num_keypoints=0)
    content['annotations'][2].update(bbox=[0.0, 0.28, 160.0, 119.72], keypoints=[161, 60, 1, *POINTS[3:]])
    assert rules_of(content, tmp_path / 'a.json') == {}


@pytest.mark.parametrize('key', ['area', 'num_keypoints', 'iscrowd'])
def test_training_does_without_what_only_ap_needs(tmp_path, key):
    found = rules_of(without(key), tmp_path / 'a.json', is_scored=False)
    assert all(severity == 'warning' for _, severity in found)


def test_counts_and_examples(tmp_path):
    content = coco_content(num_images=5)
    for place in (1, 4, 5, 6, 7, 8):
        content['annotations'][place]['bbox'] = [300, 5, 10, 10]
    found = rules_of(content, tmp_path / 'a.json')['box-outside', 'error']
    assert (found.count, found.examples) == (6, (2, 5, 6, 7, 8))
    assert found.sentence.startswith('6 boxes') and found.sentence.endswith('(annotation 2, 5, 6, 7, 8, ...)')


def test_number_rows():
    rows = [[1, 2], None, [1], 'ab', [1, '2'], [True, 1], [10**400, 0], [3.5, -1]]
    numbers, states = number_rows(rows, 2)
    expected = [PRESENT, ABSENT, MALFORMED, MALFORMED, MALFORMED, MALFORMED, PRESENT, PRESENT]
    assert states.tolist() == expected
    assert numbers[[0, 7]].tolist() == [[1, 2], [3.5, -1]]
    assert np.isnan(numbers[[1, 2, 3, 4, 5]]).all()
    numbers, states = number_rows([1, None, 'a', 2.5])
    assert states.tolist() == [PRESENT, ABSENT, MALFORMED, PRESENT]
    assert numbers.shape == (4,)


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
    assert stop_at_errors([]) == []


def test_errors_stop_and_warnings_are_lines(config, data, tmp_path):
    bad = tmp_path / 'bad.json'
    bad.write_text(json.dumps(edited(bbox=[200, 5, 10, 10], num_keypoints=16)))
    config.train_dataloader.dataset.ann_file = str(bad)
    findings = check_config(config)
    with pytest.raises(ValueError, match=r'train data cannot be used.*bad.json.*1 boxes lie outside.*annotation 2'):
        stop_at_errors(findings, 'my_config.py')
    with pytest.raises(ValueError, match=r'tools/check_dataset.py my_config.py'):
        stop_at_errors(findings, 'my_config.py')
    lines = stop_at_errors([found for found in findings if found.severity == 'warning'])
    assert len(lines) == 1 and '\n' not in lines[0] and 'num_keypoints' in lines[0]


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
    assert {'keypoint-count', 'keypoint-names'} <= rules


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
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    for suffix in ('.jpg', '.png'):
        whole = cv2.imencode(suffix, picture)[1].tobytes()
        path = tmp_path / f'picture{suffix}'
        path.write_bytes(whole)
        assert examine_image(path) == ('', (60, 40))
        for share in (0.3, 0.6, 0.99):
            path.write_bytes(whole[: int(share * len(whole))])
            assert examine_image(path)[0] == 'truncated'
        path.write_bytes(whole + b'\0' * 10)  # padded, as some cameras do
        assert examine_image(path)[0] == ''
        path.write_bytes(b'')
        assert examine_image(path)[0] == 'empty file'
        path.write_text('not a picture')
        assert examine_image(path)[0] == 'no image'
    assert examine_image(tmp_path / 'none.jpg')[0] == 'No such file or directory'


def test_images_are_decoded_where_asked(tmp_path):
    folder = write_coco(tmp_path / 'coco')
    config = tiny_config(folder, tmp_path / 'work')
    (folder / 'train2017/000000000001.jpg').write_bytes(b'')
    (folder / 'train2017/000000000002.jpg').write_bytes((folder / 'train2017/000000000002.jpg').read_bytes()[:2000])
    cv2.imwrite(str(folder / 'train2017/000000000003.jpg'), np.zeros((10, 10, 3), np.uint8))
    assert check_config(config) == []
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
    'NaN score': ([GOOD_BOX | dict(score=float('nan'))], 'not-finite'),
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


@pytest.mark.slow
def test_150000_persons_take_seconds(tmp_path):
    content = coco_content()
    annotations = content['annotations']
    content['annotations'] = [dict(annotations[k % 8], id=k + 1) for k in range(150_000)]
    path = tmp_path / 'large.json'
    path.write_text(json.dumps(content))
    begin = time.perf_counter()
    table, _ = read_annotations(path, 17)
    assert check_table(table, Context(NAMES, is_scored=True)) == []
    assert time.perf_counter() - begin < 15  # 3 s on an idle core
