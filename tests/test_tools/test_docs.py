"""The tables in the documentation are what the committed JSON files give, and the counts in these are the networks'."""

import json
import re
from pathlib import Path

import pytest
import yaml
from analysis_tools.costs.paper import COCO, IMAGENET
from analysis_tools.count_networks import count_networks
from analysis_tools.make_docs import written_files
from analysis_tools.pages.fill import fill, markdown_table
from analysis_tools.pages.metafiles import metafiles
from analysis_tools.pages.networks import COCO_FOLDER, comment_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob('*.md')), *sorted(ROOT.glob('docs/*.md')), ROOT / 'benchmarks/README.md']


def test_make_docs_changes_nothing():
    changed = [str(path) for path, text in written_files(ROOT).items() if (ROOT / path).read_text() != text]
    assert changed == [], 'run tools/analysis_tools/make_docs.py'


@pytest.mark.slow
def test_counts_are_those_of_the_networks():
    committed = json.loads((ROOT / 'benchmarks/results/complexity.json').read_text())
    assert count_networks(ROOT) == committed, 'run tools/analysis_tools/count_networks.py'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r'\]\(([^)]+)\)', page.read_text())
    files = [link.partition('#')[0] for link in links if '://' not in link]
    assert not [file for file in files if not page.parent.joinpath(file).exists()]


def test_every_network_and_ablation_is_listed():
    text = (ROOT / 'docs' / 'models.md').read_text()
    names = [row.config for row in COCO] + [f'{prefix}{row.config}' for row in IMAGENET for prefix in ('', 'dy-')]
    names += [path.stem for path in (ROOT / COCO_FOLDER / 'ablations').glob('*.py')]
    assert not [name for name in names if f'/{name}.py)' not in text]


def test_filling():
    page = 'Words.\n<!-- begin: sum 1 2 -->\nold\n<!-- end: sum -->\nMore words.\n'
    tables = {'sum': lambda root, *numbers: f'{sum(map(int, numbers))} of {root}\n'}
    filled = fill(page, tables, Path('here'))
    assert filled == 'Words.\n<!-- begin: sum 1 2 -->\n3 of here\n<!-- end: sum -->\nMore words.\n'
    assert fill(filled, tables, Path('here')) == filled
    with pytest.raises(ValueError, match='must be one of other, got "sum"'):
        fill(page, {'other': tables['sum']}, Path())
    with pytest.raises(ValueError, match='must be followed by'):
        fill(page.replace('end: sum', 'end: some'), tables, Path())


def test_markdown_table():
    assert markdown_table(['a', 'b', 'c'], [['1', 2, '3']], left=2) == (
        '| a | b | c |\n| --- | --- | ---: |\n| 1 | 2 | 3 |\n'
    )


def test_comment_of_a_config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('# Two lines\n# of one sentence.\n_base_ = []\n# not this\n')
    assert comment_of(path) == 'Two lines of one sentence.'


def test_metafiles_name_every_experiment_once():
    content = {path: yaml.safe_load(text) for path, text in metafiles(ROOT).items()}
    assert content.pop(Path('model-index.yml'))['Import'] == [path.as_posix() for path in content]
    collections = {entry['Name'] for part in content.values() for entry in part.get('Collections', [])}
    names = []
    for place, part in content.items():
        configs = [Path(model['Config']) for model in part['Models']]
        assert sorted(ROOT / config for config in configs) == sorted((ROOT / place.parent).glob('*.py'))
        for model in part['Models']:
            names.append(model['Name'])
            assert model['In Collection'] in collections
            assert model['Name'] == Path(model['Config']).stem
            assert model['Metadata']['Parameters'] > 0
            assert ('Dynamic Convolution' in model['Metadata']['Architecture']) == ('dy-' in model['Name'])
    assert len(names) == len(set(names))


def test_results_are_what_was_measured_and_the_papers_stand_apart(tmp_path):
    """One network was measured, and one on a part of COCO."""
    full, part = 'td-hm_res18_8xb64-210e_coco-256x192', 'td-hm_small_1xb16-48e_coco+lspet-128x96'
    (tmp_path / 'results').mkdir()
    (tmp_path / 'benchmarks/results').mkdir(parents=True)
    (tmp_path / COCO_FOLDER).mkdir(parents=True)
    cost = dict(architecture=['ResNet', 'HeatmapHead'], dynamic=False, params=1, madds=2.0)
    counted = {f'{COCO_FOLDER.as_posix()}/{name}.py': cost for name in (full, part)}
    imagenet = json.loads((ROOT / 'benchmarks/results/complexity.json').read_text())['imagenet']
    (tmp_path / 'benchmarks/results/complexity.json').write_text(json.dumps(dict(keypoints=counted, imagenet=imagenet)))
    for name in (full, part):
        run = dict(title='A run', config=f'{name}.py', metrics={'coco/AP': 0.12345, 'coco/AR': 0.5})
        (tmp_path / 'results' / f'{name}.json').write_text(json.dumps(run))
        (tmp_path / COCO_FOLDER / f'{name}.py').touch()
    full, part = yaml.safe_load(metafiles(tmp_path)[COCO_FOLDER / 'metafile.yml'])['Models']
    metrics = {'AP': 0.1235, 'AR': 0.5}
    assert full['Results'] == [dict(Task='Body 2D Keypoint', Dataset='COCO', Metrics=metrics, Run='A run')]
    assert full['Metadata']['Paper AP'] == 67.0
    assert part['Results'][0]['Dataset'] == 'COCO, in part'
    assert part['Metadata']['Training Data'] == ['COCO', 'LSPET']
    assert not [key for key in part['Metadata'] if key.startswith('Paper')]
