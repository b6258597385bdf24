"""A second data set, evaluated whenever the run validates or tests."""

from copy import deepcopy

import pytest
from experiments.records import read_history
from tiny_coco import tiny_config, write_coco

from dyconv_pose.apis import test as score
from dyconv_pose.apis import train

pytestmark = pytest.mark.filterwarnings('ignore')


def with_hook(config, evaluator):
    loader = deepcopy(config.val_dataloader)
    config.default_hooks.further = dict(type='FurtherValidationHook', dataloader=loader, evaluator=evaluator)
    return config


@pytest.mark.slow
def test_its_metrics_stand_beside_the_others(tmp_path):
    config = tiny_config(write_coco(tmp_path / 'coco'), tmp_path / 'work', epochs=1)
    # the same persons with the same metric under another prefix: the same figures
    config = with_hook(config, [dict(config.val_evaluator, prefix='again'), dict(type='PCKAccuracy', prefix='again')])
    train(deepcopy(config))
    (entry,) = read_history(config.work_dir)['validations']
    assert 'again/PCK' in entry
    metrics = score(deepcopy(config), tmp_path / 'work' / 'epoch_1.pth')
    for name in ('AP', 'AR', 'AP (M)'):
        assert entry[f'again/{name}'] == entry[f'coco/{name}']
        assert metrics[f'again/{name}'] == metrics[f'coco/{name}']


def test_metrics_of_one_name_are_refused(tmp_path):
    config = tiny_config(write_coco(tmp_path / 'coco'), tmp_path / 'work', epochs=1)
    with pytest.raises(ValueError, match='must have different names'):
        train(with_hook(config, dict(config.val_evaluator)))
