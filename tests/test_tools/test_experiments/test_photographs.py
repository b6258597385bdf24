"""The list of the experiments' photographs is that of the photographs, where they are there."""

import json

import pytest
from tiny_coco import ROOT

LISTED = json.loads((ROOT / 'configs/experiments/photographs.json').read_text())
FILES = {
    'train2017': 'person_keypoints_train2017.json',
    'val2017': 'person_keypoints_val2017.json',
    'lspet_train': 'lspet_train.json',
    'lspet_val': 'lspet_val.json',
}


def test_what_is_evaluated_on_is_not_trained_on():
    assert not set(LISTED['train2017']) & set(LISTED['val2017'])
    assert not set(LISTED['lspet_train']) & set(LISTED['lspet_val'])


@pytest.mark.skipif(
    not (ROOT / 'data/coco/annotations/lspet_val.json').is_file(), reason='the photographs are not in data/coco'
)
@pytest.mark.parametrize('part', FILES)
def test_the_photographs_are_listed(part):
    content = json.loads((ROOT / 'data/coco/annotations' / FILES[part]).read_text())
    images, persons = content['images'], content['annotations']
    numbers = [int(image['file_name'].removeprefix('im').removesuffix('.jpg')) for image in images]
    assert sorted(numbers) == LISTED[part]
    page = (ROOT / 'docs/data.md').read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f'| `{FILES[part]}` |')]
    assert f'| {len(numbers):,} | {len(persons):,} |' in row
    estimated = sum(bool(person.get('area_estimated')) for person in persons)
    assert estimated == len(persons) or f'{estimated} of {len(persons)}' in page
