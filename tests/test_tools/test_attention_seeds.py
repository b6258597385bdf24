"""Inspections of several networks, taken together, against figures computed by hand."""

import json
import runpy
import sys

import pytest
from analysis_tools.attention.figures import draw_seeds
from analysis_tools.attention.seeds import changes, check_alike, overview
from tiny_coco import ROOT

CONFIG = 'td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'


def inspected(trained, mean, entropy=0.995, dead=0):
    """An inspection of two layers of four kernels, with AP as trained and with the mean attention."""
    layer = dict(num_kernels=4, entropy_of_mean=1.0, dead_kernels=dead, temperature=30.0, image_dependence=0.001)
    names = ('backbone.a.conv', 'head.b.conv')
    layers = [dict(layer, name=name, entropy=value) for name, value in zip(names, (0.9, entropy), strict=True)]
    layers[1]['image_dependence'] = 0.01
    replaced = {group: {'mean': {'coco/AP': mean}, 'max': {'coco/AP': 0.0}} for group in ('all', 'head')}
    record = dict(title='A network', config=CONFIG, metric='coco/AP', persons=9, layers=layers, replaced=replaced)
    record |= dict(scores={'coco/AP': trained}, groups={'all': 2, 'head': 1})
    return record | dict(machine='a machine', versions={'torch': '2'})


RECORDS = [inspected(0.30, 0.29), inspected(0.40, 0.37, entropy=0.5, dead=1)]


def test_changes_are_paired_with_the_network_itself():
    summary = changes(RECORDS, 'all', 'mean')
    assert summary.mean == pytest.approx(-2)  # -1 and -3 points
    assert summary.interval == pytest.approx((-2 - 12.7062, -2 + 12.7062), abs=1e-3)  # t of one degree of freedom
    assert changes(RECORDS, 'head', 'max').mean == pytest.approx(-35)


def test_overview():
    figures = dict(overview(RECORDS))
    assert figures['layers with entropy > 0.99'] == '0 to 1 of 2'
    assert figures['largest dependence on the image'] == '0.0100 in `head.b.conv`'
    assert figures['dead kernels'] == '0 to 2 of 8'
    assert figures['coco/AP'] == '35.0 ± 7.1'
    assert figures['change with `mean`'] == '-2.00 (-14.71 to +10.71)'
    assert dict(overview(RECORDS[:1]))['change with `mean`'] == '-1.00'  # one network has no interval


@pytest.mark.parametrize(
    ('records', 'message'),
    [
        ([RECORDS[0], RECORDS[1] | dict(persons=8)], 'same persons'),
        ([RECORDS[0], RECORDS[1] | dict(metric='coco/AR')], 'same metric'),
        ([RECORDS[0], RECORDS[1] | dict(layers=RECORDS[1]['layers'][:1])], 'same layers'),
        ([RECORDS[0], RECORDS[1] | dict(replaced={})], 'same replacements'),
    ],
)
def test_what_cannot_be_taken_together(records, message):
    with pytest.raises(ValueError, match=message):
        check_alike(records)


def test_tool(tmp_path, monkeypatch, capsys):
    for seed, record in enumerate(RECORDS):
        (tmp_path / f'seed{seed}.json').write_text(json.dumps(record))
    image = tmp_path / 'figures/seeds.png'
    arguments = [*map(str, sorted(tmp_path.glob('*.json'))), '--out', str(image)]
    monkeypatch.setattr(sys, 'argv', ['compare_attention.py', *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools/analysis_tools/compare_attention.py'), run_name='__main__')
    assert stop.value.code == 0
    assert '| all | 2 | -2.00 (-14.71 to +10.71) | -35.00' in capsys.readouterr().out
    assert image.stat().st_size > 10_000


def test_figure_without_replacements(tmp_path):
    records = [record | dict(replaced={'all': {}, 'head': {}}) for record in RECORDS]
    assert not [name for name, _ in overview(records) if name.startswith('change')]
    assert draw_seeds(records, tmp_path / 'seeds.png').is_file()
