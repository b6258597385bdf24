"""Weights of which none fits are refused before the training, wherever the config names them."""

import pytest
import torch
from tiny_coco import tiny_config, write_coco
from torch import nn

from dyconv_pose.apis import build_model, train

pytestmark = pytest.mark.filterwarnings('ignore')

PLACES = {
    'load_from': dict(load_from='{}'),
    'Pretrained': {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='{}')},
    'with a prefix': {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='{}', prefix='other.')},
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco', 2)


def config_of(data, folder, options, path):
    config = tiny_config(data, folder / 'work')
    config.merge_from_dict(
        {
            key: {name: str(part).format(path) for name, part in value.items()}
            if isinstance(value, dict)
            else value.format(path)
            for key, value in options.items()
        }
    )
    return config


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('key', ['weight', 'other.weight', 'backbone.conv1.weight'])
def test_weights_of_which_none_fits(data, tmp_path, place, key):
    torch.save(dict(state_dict={key: torch.zeros(7, 7, 7)}), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='other.pth|prefix') as caught:
        train(config_of(data, tmp_path, PLACES[place], tmp_path / 'other.pth'))
    assert 'fits' in str(caught.value) or 'prefix' in str(caught.value)
    assert not list(tmp_path.glob('work/*.pth'))


def test_weights_of_which_some_fit_are_taken(data, tmp_path):
    config = config_of(data, tmp_path, PLACES['load_from'], tmp_path / 'part.pth')
    static = tiny_config(data, tmp_path / 'work').model.backbone | dict(conv_cfg=None)
    config.model.backbone, dynamic = static, config.model.backbone
    backbone = build_model(config).backbone
    for parameter in backbone.parameters():
        nn.init.constant_(parameter, 0.5)
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in backbone.state_dict().items()}), tmp_path / 'part.pth')
    config.model.backbone = dynamic
    config.optim_wrapper.optimizer.lr = 0.0
    runner = train(config)
    assert (runner.model.backbone.conv1.weight == 0.5).all()
