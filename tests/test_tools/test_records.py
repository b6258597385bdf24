"""Records of training runs."""

import json

import pytest
from analysis_tools.record_run import record_run

FIGURES = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')


@pytest.fixture
def work_dir(tmp_path):
    log = tmp_path / 'run' / '20260101' / 'vis_data'
    log.mkdir(parents=True)
    entries = [
        {'loss': 1.0, 'time': 0.5, 'iter': 10, 'epoch': 1, 'step': 10},
        {'coco/AP': 0.1, 'time': 9.0, 'step': 1},
        {'loss': 0.25, 'time': 0.75, 'iter': 30, 'epoch': 2, 'step': 30},
    ]
    (log / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)))
    (tmp_path / 'run' / 'td-hm_some-net.py').touch()
    (tmp_path / 'metrics.json').write_text(json.dumps({f'coco/{name}': 0.1 * i for i, name in enumerate(FIGURES)}))
    return tmp_path / 'run'


def test_record(work_dir):
    record = record_run(work_dir, work_dir.parent / 'metrics.json', 'A run', ['train it'])
    assert record['training_seconds'] == 10 * 0.5 + 20 * 0.75  # evaluation is left out
    assert (record['iterations'], record['epochs'], record['final_loss']) == (30, 2, 0.25)
    assert record['config'] == 'td-hm_some-net.py'
    assert record['versions']['mmpose']
