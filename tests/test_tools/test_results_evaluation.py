"""Scoring a results file: pycocotools' own figures, the worst persons, and files that do not fit."""

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from results_evaluation import FIGURES, ResultsEvaluation
from tiny_coco import coco_content
from worst_cases import draw_worst, persons_of, skeleton_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path):
    """Annotations of 12 persons in 6 images, and results that are worse the higher the person's id."""
    rng = np.random.default_rng(0)
    images = [dict(id=index, file_name=f'{index}.png', width=200, height=200) for index in range(6)]
    annotations, results = [], []
    for index in range(12):
        keypoints = rng.uniform(20 + 70 * (index % 2), 80 + 70 * (index % 2), (17, 2))
        person = np.column_stack([keypoints, rng.integers(0, 3, 17)])
        person[0, 2] = 2
        found = np.column_stack([keypoints + rng.normal(0, 0.3 * index, (17, 2)), np.ones(17)])
        row = dict(image_id=index // 2, category_id=1, keypoints=person.ravel().tolist())
        box = [20.0 + 70 * (index % 2)] * 2 + [60.0, 60.0]
        count = int((person[:, 2] > 0).sum())
        annotations.append(dict(row, id=index + 1, bbox=box, area=3600.0, iscrowd=0, num_keypoints=count))
        results.append(dict(row, keypoints=found.ravel().tolist(), score=1 - index / 20, file_name='extra'))
    category = dict(id=1, name='person', keypoints=[str(index) for index in range(17)], skeleton=[[1, 2], [2, 17]])
    truth = dict(images=images, annotations=annotations, categories=[category])
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    (tmp_path / 'results.json').write_text(json.dumps(results[::-1]))
    return tmp_path


def test_figures_are_those_of_pycocotools(files):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(files / 'truth.json'))
        evaluator = COCOeval(truth, truth.loadRes(str(files / 'results.json')), 'keypoints')
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    figures = ResultsEvaluation(files / 'truth.json', files / 'results.json').figures
    assert list(figures) == list(FIGURES)
    np.testing.assert_array_equal(list(figures.values()), evaluator.stats)
    assert 0.2 < figures['AP'] < 0.9


def test_persons_come_worst_first_with_the_result_that_fits_them_best(files):
    persons = persons_of(ResultsEvaluation(files / 'truth.json', files / 'results.json'))
    assert len(persons) == 12
    similarities = [person.similarity for person in persons]
    assert similarities == sorted(similarities) and persons[-1].annotation['id'] == 1 and similarities[-1] == 1
    for person in persons[6:]:
        assert person.result['score'] == pytest.approx(1 - (person.annotation['id'] - 1) / 20)


def test_a_person_that_was_not_found_is_the_worst(files):
    rows = [row for row in json.loads((files / 'results.json').read_text()) if row['image_id'] != 3]
    (files / 'results.json').write_text(json.dumps(rows))
    persons = persons_of(ResultsEvaluation(files / 'truth.json', files / 'results.json'))
    assert {person.annotation['id'] for person in persons[:2]} == {7, 8} and persons[0].result is None


def test_no_results_at_all_score_nothing(files):
    (files / 'results.json').write_text('[]')
    evaluation = ResultsEvaluation(files / 'truth.json', files / 'results.json')
    assert evaluation.figures['AP'] == 0 and all(person.similarity == 0 for person in persons_of(evaluation))


def test_worst_cases_are_drawn(files):
    for index in range(6):
        cv2.imwrite(str(files / f'{index}.png'), np.full((200, 200, 3), 90, np.uint8))
    evaluation = ResultsEvaluation(files / 'truth.json', files / 'results.json')
    assert skeleton_of(evaluation) == [(0, 1), (1, 16)]
    written = draw_worst(persons_of(evaluation)[:3], skeleton_of(evaluation), files, files / 'worst')
    (worst, *_) = persons_of(evaluation)
    with pytest.raises(ValueError, match=r'size \[200, 200\], got \[100, 200\]'):
        cv2.imwrite(str(files / worst.image['file_name']), np.zeros((200, 100, 3), np.uint8))
        draw_worst([worst], [], files, files / 'worst')
    assert [path.name[:4] for path in written] == ['001_', '002_', '003_']
    image = cv2.imread(str(written[0])).astype(int)
    left, right = image[30:, :480], image[30:, 480:]
    green, red = (lambda part: part[..., 1] - part[..., 2] > 80), (lambda part: part[..., 2] - part[..., 1] > 80)
    assert green(left).any() and not red(left).any() and red(right).any() and not green(right).any()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda rows: rows[0].update(image_id=99), '99'),
        (lambda rows: rows[0].update(keypoints=[1, 2, 3]), '51 finite numbers'),
        (lambda rows: rows[0].pop('score'), r'lack "score" \(a number\), the first has .*keypoints'),
        (lambda rows: rows[0].update(image_id='5'), '"image_id" that is not an integer but \'5\''),
        (lambda rows: rows[0].update(image_id=5.0), '"image_id" that is not an integer but 5.0'),
        (lambda rows: rows[0].update(category_id=0), r'category \[0\], and the annotated persons of \[1\]'),
        (lambda rows: [row.update(category_id=7) for row in rows], r'12 results are of category \[7\]'),
    ],
)
def test_results_that_do_not_fit_are_refused(files, change, message):
    rows = json.loads((files / 'results.json').read_text())
    change(rows)
    (files / 'results.json').write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=message):
        ResultsEvaluation(files / 'truth.json', files / 'results.json')


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_persons_of_another_category_than_1_are_scored(files):
    def to_two(content):
        for row in content['annotations'] + content['categories'] if isinstance(content, dict) else content:
            row['id' if 'name' in row else 'category_id'] = 2

    expected = ResultsEvaluation(files / 'truth.json', files / 'results.json').figures
    edit(files / 'truth.json', to_two)
    with pytest.raises(ValueError, match=r'results are of category \[1\], and the annotated persons of \[2\]'):
        ResultsEvaluation(files / 'truth.json', files / 'results.json')
    edit(files / 'results.json', to_two)
    assert ResultsEvaluation(files / 'truth.json', files / 'results.json').figures == expected


def test_annotations_of_a_category_that_is_not_listed_are_refused(files):
    edit(files / 'truth.json', lambda content: content['categories'][0].update(id=3))
    with pytest.raises(ValueError, match='12 annotations are of a category that the file does not list'):
        ResultsEvaluation(files / 'truth.json', files / 'results.json')


def test_results_of_a_further_category_without_persons_do_not_harm(files):
    expected = ResultsEvaluation(files / 'truth.json', files / 'results.json').figures
    edit(files / 'truth.json', lambda content: content['categories'].append(dict(id=2, name='dog')))
    edit(files / 'results.json', lambda rows: rows.append(dict(rows[0], category_id=2)))
    assert ResultsEvaluation(files / 'truth.json', files / 'results.json').figures == expected


def test_other_keypoints_need_their_sigmas(files):
    for name in ('truth.json', 'results.json'):
        content = json.loads((files / name).read_text())
        for row in content['annotations'] if name == 'truth.json' else content:
            row['keypoints'] = row['keypoints'][:6]
        (files / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match='sigmas'):
        ResultsEvaluation(files / 'truth.json', files / 'results.json')
    figures = ResultsEvaluation(files / 'truth.json', files / 'results.json', sigmas=(0.1, 0.1)).figures
    assert 0 < figures['AP'] <= 1


@pytest.mark.parametrize('name', ['truth.json', 'results.json'])
def test_annotations_and_results_cannot_change_places(files, name):
    with pytest.raises(ValueError, match='must be'):
        ResultsEvaluation(files / name, files / name)


def test_the_tool_prints_the_ten_figures(files, monkeypatch, capsys):
    def tool(*arguments):
        monkeypatch.setattr(sys, 'argv', ['eval_results.py', *(str(one) for one in arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / 'tools/eval_results.py'), run_name='__main__')
        return ended.value.code

    assert tool(files / 'truth.json', files / 'results.json', '--out-dir', files / 'out') == 0
    shown = capsys.readouterr().out
    for name, value in json.loads((files / 'out/metrics.json').read_text()).items():
        assert name in shown and (f'{value:.4f}' in shown or value == -1)
    assert 'no persons' not in shown
    (files / 'empty.json').write_text('[]')
    assert tool(files / 'truth.json', files / 'empty.json', '--out-dir', files / 'out') == 0
    assert 'empty.json" holds no persons' in capsys.readouterr().out.replace('\n', ' ')
    assert tool(files / 'none.json', files / 'results.json') == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1 and 'none.json' in error


@pytest.mark.parametrize('key', ['area', 'iscrowd', 'num_keypoints'])
def test_null_is_as_good_as_nothing(tmp_path, key):
    content, names = coco_content(2), ('image_id', 'category_id', 'keypoints')
    rows = [{name: one[name] for name in names} | dict(score=0.5) for one in content['annotations']]
    content['annotations'][2][key] = None
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    (tmp_path / 'results.json').write_text(json.dumps(rows))
    evaluation = ResultsEvaluation(tmp_path / 'truth.json', tmp_path / 'results.json')
    assert evaluation.figures['AP'] == pytest.approx(1)
