"""Which loop a config's training runs in."""

import pytest
from mmengine.config import Config, ConfigDict

from dyconv_pose.engine.loops import use_resumable_loop


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (dict(by_epoch=True, max_epochs=3), dict(type='ResumableEpochLoop', max_epochs=3)),
        (dict(max_epochs=3), dict(type='ResumableEpochLoop', max_epochs=3)),
        (dict(by_epoch=False, max_iters=3), dict(type='ResumableIterLoop', max_iters=3)),
        (dict(type='IterBasedTrainLoop', max_iters=3), dict(type='ResumableIterLoop', max_iters=3)),
        (dict(type='EpochBasedTrainLoop', max_epochs=3), dict(type='ResumableEpochLoop', max_epochs=3)),
        (dict(type='SomeLoop'), dict(type='SomeLoop')),
    ],
)
def test_mmengines_loops_are_replaced_and_others_are_not(given, expected):
    config = Config(dict(train_cfg=given))
    use_resumable_loop(config)
    assert config.train_cfg == ConfigDict(expected)
    use_resumable_loop(config)
    assert config.train_cfg == ConfigDict(expected)


def test_config_without_training():
    config = Config(dict(model=dict(type='A')))
    use_resumable_loop(config)
    assert 'train_cfg' not in config
