"""Training curves: what is read from the log, and that a figure of it is written."""

import json

import cv2
import pytest
from analysis_tools.plot_training import metric_points, plot_training
from analysis_tools.scalars import read_scalars


def write_log(work_dir, name, entries):
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)) + '\n')


@pytest.fixture
def resumed_run(tmp_path):
    write_log(tmp_path, '20260102', [{'loss': 0.5, 'iter': 20, 'epoch': 2, 'step': 20}, {'coco/AP': 0.25, 'step': 2}])
    write_log(tmp_path, '20260101', [{'loss': 1.0, 'iter': 10, 'epoch': 1, 'step': 10}, {'coco/AP': 0.125, 'step': 1}])
    return tmp_path


def test_runs_of_a_resumed_training_are_joined_in_order(resumed_run):
    scalars = read_scalars(resumed_run)
    assert [entry['loss'] for entry in scalars if 'loss' in entry] == [1.0, 0.5]
    assert [entry['coco/AP'] for entry in scalars if 'coco/AP' in entry] == [0.125, 0.25]


def test_metrics_stand_at_their_epochs(resumed_run):
    assert metric_points(read_scalars(resumed_run), 'coco/AP') == [(1, 0.125), (2, 0.25)]


def test_metrics_of_a_run_without_epochs_stand_at_their_iterations(tmp_path):
    log = [{'loss': 1.0, 'iter': 50, 'step': 50}, {'coco/AP': 0.1, 'step': 0}]
    write_log(tmp_path, '20260101', [*log, {'loss': 0.5, 'iter': 100, 'step': 100}, {'coco/AP': 0.2, 'step': 0}])
    assert metric_points(read_scalars(tmp_path), 'coco/AP') == [(50, 0.1), (100, 0.2)]


def test_draws_a_figure(resumed_run, tmp_path):
    image = cv2.imread(str(plot_training([resumed_run, resumed_run], tmp_path / 'folder' / 'curves.png')))
    assert image.shape[0] > 300
    assert image.std() > 10  # not an empty sheet


def test_a_folder_without_a_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        plot_training([tmp_path], tmp_path / 'curves.png')
