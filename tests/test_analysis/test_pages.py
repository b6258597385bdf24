"""The generated pages say what the configs do."""

import re
from pathlib import Path

import pytest

from dyconv_pose.analysis.pages import PAGES, ablations_page, comment_of, markdown_table

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize('name', PAGES)
def test_is_up_to_date(name):
    assert (ROOT / name).read_text() == PAGES[name](ROOT), 'run tools/make_docs.py'


@pytest.mark.parametrize('name', PAGES)
def test_links_lead_somewhere(name):
    links = re.findall(r'\]\(([^)]+)\)', (ROOT / name).read_text())
    assert len(links) >= 14
    assert not [link for link in links if not (ROOT / name).parent.joinpath(link).is_file()]


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
