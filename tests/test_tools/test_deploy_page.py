"""The page of the benchmarks says what the JSON files do."""

import json

import pytest
from dyconv_pose.analysis.deploy_page import benchmarks_page

WHERE = {'versions': {'torch': '9.9'}, 'machine': 'a machine'}


def row(form, weights, milliseconds, ratio, batch=1, threads=1, backend='openvino'):
    place = {'batch': batch, 'threads': threads, 'backend': backend}
    return {**place, 'form': form, 'weights': weights, 'median_ms': milliseconds, 'over_static': ratio}


@pytest.fixture
def root(tmp_path):
    results = tmp_path / 'benchmarks/results'
    results.mkdir(parents=True)
    rows = [
        row('static', 'float32', 10.04, 1.0),
        row('batch_1', 'float32', 12.56, 1.251),
        row('any_batch', 'float32', 31.0, 3.1),
        row('batch_1', 'int8', 11.0, 1.096),
        row('batch_1', 'float32', 101.0, 1.3, batch=8),
    ]
    accuracy = {
        'where': 'openvino, any batch',
        'weights': 'all in int8',
        'megabytes': 1.234,
        'ap': 0.51234,
        'ap_minus_torch': -0.00123,
        'largest_difference_px': 3.456,
        'moved_by_more_than_0.1_px': 0.0321,
    }
    drawn = {**WHERE, 'checkpoint': 'a.pth', 'ap_of_torch': 0.51357, 'persons': 12, 'rows': [accuracy]}
    dynamic = {'Convolution': 2.0, 'FullyConnectedCompressed': 0.25, 'Reorder': 0.5, 'Softmax': 0.125}
    profile = {**WHERE, 'network': 'Net', 'milliseconds': {'static': {'Convolution': 1.5}, 'dynamic': dynamic}}
    against = {'persons_per_picture': 4, 'pictures_per_second': 2.5, 'mmpose_pictures_per_second': 1.25}
    against |= {'times_as_fast': 2.0, 'largest_difference_px': 0.25}
    pipeline = {**WHERE, 'config': 'net.py', 'flip_test': True, 'batch_size': 16, 'threads': 2}
    pipeline |= {'milliseconds_per_person': {'read': 0.5, 'network': 7.0}, 'around_the_network_over_network': 0.0714}
    pipeline |= {'against_mmpose': [against]}
    for name, content in (
        ('inference_pipeline', pipeline),
        ('deploy_latency', {'Net': {**WHERE, 'rounds_at_batch_1': 7, 'rows': rows}}),
        ('deploy_accuracy', {'drawn people': drawn}),
        ('openvino_profile', profile),
    ):
        (results / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


def test_figures_are_those_of_the_files(root):
    page = benchmarks_page(root)
    assert '| Net | 10.0 | 12.6 | 1.25 |' in page  # the best with exact weights
    assert '| openvino | `--batch 1` | float32 | 12.6 (1.25) | 101.0 (1.30) |' in page
    assert '| openvino | `--batch 1` | int8 | 11.0 (1.10) | - |' in page
    assert '| openvino, any batch | all in int8 | 1.2 | 0.5123 | -0.0012 | 3.46 | 3.21% |' in page
    assert "| the attention's fully-connected layers | 0.00 | 0.25 |" in page
    assert '| all else | 0.00 | 0.62 |' in page and '| sum | 1.50 | 2.88 |' in page
    assert '|  | 0.50 | 7.00 |' in page and '| 4 | 2.50 | 1.25 | 2.00 | 0.25 |' in page and 'takes 7.1% of' in page
    assert 'took 7 turns' in page and 'a machine; torch 9.9' in page
