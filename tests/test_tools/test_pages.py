"""The generated pages say what the configs do."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml
from dyconv_pose.analysis.metafiles import pose_metafile
from dyconv_pose.analysis.pages import PAGES, ablations_page, comment_of, markdown_table
from dyconv_pose.analysis.paper import COCO, IMAGENET
from dyconv_pose.analysis.zoo import COCO_FOLDER

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize('name', PAGES)
def test_is_up_to_date(name):
    assert (ROOT / name).read_text() == PAGES[name](ROOT), 'run tools/make_docs.py'


def test_check_fails_where_a_page_is_old(monkeypatch, capsys):
    monkeypatch.setattr('dyconv_pose.analysis.pages.PAGES', {'docs/models.md': lambda root: 'another text'})
    monkeypatch.setattr('sys.argv', ['make_docs.py', '--check'])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools' / 'make_docs.py'), run_name='__main__')
    assert stop.value.code == 2
    assert 'docs/models.md must say what the configs do and does not: run tools/make_docs.py' in capsys.readouterr().err


@pytest.mark.parametrize('name', [name for name in PAGES if name.endswith('.md')])
def test_links_lead_somewhere(name):
    links = re.findall(r'\]\(([^)]+)\)', (ROOT / name).read_text())
    files = [link.partition('#')[0] for link in links]
    assert not [file for file in files if not (ROOT / name).parent.joinpath(file).exists()]


def test_every_network_of_the_paper_is_listed():
    text = (ROOT / 'docs' / 'models.md').read_text()
    names = [row.config for row in COCO] + [f'{prefix}{row.config}' for row in IMAGENET for prefix in ('', 'dy-')]
    assert not [name for name in names if f'/{name}.py)' not in text]


def test_metafiles_name_every_experiment_once():
    imports = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert {*imports, 'model-index.yml'} == {name for name in PAGES if name.endswith('.yml')}
    content = {name: yaml.safe_load((ROOT / name).read_text()) for name in imports}
    collections = {entry['Name'] for part in content.values() for entry in part.get('Collections', [])}
    names = []
    for place, part in content.items():
        folder = Path(place).parent
        configs = [Path(model['Config']) for model in part['Models']]
        assert sorted(ROOT / config for config in configs) == sorted((ROOT / folder).glob('*.py'))
        for model in part['Models']:
            names.append(model['Name'])
            assert model['In Collection'] in collections
            assert model['Name'] == Path(model['Config']).stem
            assert model['Metadata']['Parameters'] > 0
            assert ('Dynamic Convolution' in model['Metadata']['Architecture']) == ('dy-' in model['Name'])
    assert len(names) == len(set(names))


@pytest.fixture
def measured_root(tmp_path):
    """A project in which one network was measured, and one on a part of COCO."""
    (tmp_path / 'results').mkdir()
    for name in ('td-hm_res18_8xb64-210e_coco-256x192', 'td-hm_small_1xb16-48e_coco+lspet-128x96'):
        run = dict(title='A run', config=f'{name}.py', metrics={'coco/AP': 0.12345, 'coco/AR': 0.5})
        (tmp_path / 'results' / f'{name}.json').write_text(json.dumps(run))
    source = ROOT / COCO_FOLDER / 'td-hm_res18_8xb64-210e_coco-256x192.py'
    (tmp_path / COCO_FOLDER).mkdir(parents=True)
    for path in (tmp_path / 'results').iterdir():
        (tmp_path / COCO_FOLDER / f'{path.stem}.py').write_text(f"_base_ = ['{source}']\n")
    return tmp_path


def test_results_are_what_was_measured_and_the_papers_stand_apart(measured_root):
    full, part = yaml.safe_load(pose_metafile(measured_root, COCO_FOLDER))['Models']
    metrics = {'AP': 0.1235, 'AR': 0.5}
    assert full['Results'] == [dict(Task='Body 2D Keypoint', Dataset='COCO', Metrics=metrics, Run='A run')]
    assert full['Metadata']['Paper AP'] == 67.0
    assert part['Results'][0]['Dataset'] == 'COCO, in part'
    assert part['Metadata']['Training Data'] == ['COCO', 'LSPET']
    assert not [key for key in part['Metadata'] if key.startswith('Paper')]


def test_every_ablation_is_listed():
    text = (ROOT / 'docs' / 'ablations.md').read_text()
    configs = list((ROOT / 'configs').rglob('ablations/*.py'))
    assert len(configs) == 19
    assert not [path.name for path in configs if f'/{path.name})' not in text]


def test_markdown_table():
    assert markdown_table(['a', 'b', 'c'], [['1', '2', '3']]) == '| a | b | c |\n| --- | --- | ---: |\n| 1 | 2 | 3 |\n'


def test_comment_of_a_config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('# Two lines\n# of one sentence.\n_base_ = []\n# not this\n')
    assert comment_of(path) == 'Two lines of one sentence.'


def test_ablation_without_a_group(tmp_path):
    source = ROOT / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    folder = tmp_path / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    (folder / 'ablations').mkdir(parents=True)
    base = 'td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py'
    (folder / base).write_text(f"_base_ = ['{source / base}']\n")
    name = base.replace('bneck_', 'bneck-strange_')
    (folder / 'ablations' / name).write_text(f"_base_ = ['../{base}']\n")
    with pytest.raises(ValueError, match=r"group of this page, and \['strange'\]"):
        ablations_page(tmp_path)
