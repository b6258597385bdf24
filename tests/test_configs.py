"""Every config builds, takes a training step, and differs from its static twin as little as it should."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS
from mmpose.testing import get_packed_inputs

from dyconv_pose.engine.attention import set_temperature
from dyconv_pose.layers import dynamic_layers

ROOT = Path(__file__).parents[1]
# The ablations differ from their base by a number and have tests of their own, in test_ablations.py.
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs' / 'body_2d_keypoint').rglob('*.py')
    if not {'_base_', 'ablations'} & set(path.parts)
)
#: The dynamic configs that have a static twin beside them.
DYNAMIC = [path for path in CONFIGS if 'dy-' in path.name and path.with_name(path.name.replace('dy-', '')).exists()]


#: One of each kind of backbone, neck and head takes a quick training step; those of the family train in
#: test_family_configs.py.
QUICK = {
    'dy-rtmpose-t_8xb256-420e_coco-256x192',
    'td-hm_dy-litehrnet-18_8xb64-210e_coco-256x192',
    'td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192',
    'td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192',
    'td-hm_dy-mobilenetv2-x0.5_8xb64-210e_coco-256x192',
    'td-hm_dy-mobilenetv3-small-s16-bneck-narrow_1xb16-12e_synthetic-128x96',
    'td-hm_dy-mobilenetv3-small_8xb64-210e_coco-256x192',
    'td-hm_dy-res18_8xb64-210e_coco-256x192',
    'td-hm_dy-vipnas-mbv3_8xb64-210e_coco-256x192',
    'td-hm_mobilenetv2-fpn_1xb32-5k_photographs-256x192',
    'td-hm_mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192',
    'td-hm_mobilenetv3-small_8xb64-210e_coco-256x192',
    'td-hm_res18_8xb64-210e_coco-256x192',
}
read = cache(Config.fromfile)


def name(path: Path) -> str:
    return path.stem


def test_the_papers_fourteen_rows_are_there():
    coco = [path.name for path in CONFIGS if path.name.endswith('8xb64-210e_coco-256x192.py')]
    for network in ('res18', 'mobilenetv2', 'mobilenetv2-x0.5', 'mobilenetv3-small'):
        for kind in ('', 'dy-'):
            for head in ('', '-bneck') if network != 'res18' else ('',):
                assert f'td-hm_{kind}{network}{head}_8xb64-210e_coco-256x192.py' in coco


@pytest.mark.parametrize(
    'path', [pytest.param(path, marks=[pytest.mark.slow] * (path.stem not in QUICK)) for path in CONFIGS], ids=name
)
def test_builds_and_takes_a_training_step(path):
    config = deepcopy(read(path))
    width, height = config.codec['input_size']
    targets = {key: config.codec[key] for key in ('heatmap_size', 'simcc_split_ratio') if key in config.codec}
    if 'heatmap_size' in targets:  # which fits any size; a SimCC head fits one
        cells_w, cells_h = targets['heatmap_size']
        targets['heatmap_size'] = [64 * cells_w // width, 64 * cells_h // height]
        width = height = 64
    for part in config.model.values():
        start = (part.get('init_cfg') or {}) if isinstance(part, dict) else {}
        if isinstance(start, dict) and 'checkpoint' in start:  # of another framework, converted to where it is not kept
            part.init_cfg = None
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    if temperature := config.default_hooks.get('temperature'):  # past the start, where KernelWarehouse has no attention
        set_temperature(model, (temperature.start + temperature.end) / 2)
    targets['num_keypoints'] = config.model.head.get('out_channels', 17)
    batch = get_packed_inputs(2, img_shape=(height, width), input_size=(width, height), **targets)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    data = model.data_preprocessor(batch, training=True)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for _ in range(2):  # the residual branches of ResNet start at zero and move in the second step
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss)
    idle = [key for key, value in model.named_parameters() if value.grad is None]
    assert not idle
    moved = [key for key, value in model.named_parameters() if not torch.equal(value, before[key])]
    assert len(moved) > 0.95 * sum(1 for _ in model.parameters())


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_pipelines_and_schedule_fit(path):
    config = read(path)
    assert 'dyconv_pose.registration' in config.custom_imports.imports
    width, height = config.codec['input_size']
    # a config based on one of MMPose's has its scope in the codec
    assert dict(config.model.head.decoder, _scope_='mmpose') == dict(config.codec, _scope_='mmpose')
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        sizes = [tuple(step['input_size']) for step in loader.dataset.pipeline if step['type'] == 'TopdownAffine']
        assert sizes == [(width, height)]
    if '8xb64-210e' in path.name:
        assert config.train_cfg.max_epochs == 210
        assert config.train_dataloader.batch_size == 64
        assert config.param_scheduler[1].milestones == [170, 200]
    assert DATASETS.get(config.train_dataloader.dataset.type) is not None
    assert config.train_cfg.type in ('ResumableEpochLoop', 'ResumableIterLoop')
    assert 'by_epoch' not in config.train_cfg


@pytest.mark.parametrize('path', DYNAMIC, ids=name)
def test_dynamic_config_is_its_twin_and_a_few_lines(path):
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith('#')]
    assert len(lines) <= 11  # with the line that names the base


@pytest.mark.parametrize('folder', ['body_2d_keypoint', 'classification'])
def test_dynamic_are_those_whose_names_say_so(folder):
    if folder == 'classification':
        pytest.importorskip('mmpretrain')
        paths = [*(ROOT / 'configs' / folder).glob('[is]*/*.py')]
    else:  # test_family_configs.py and test_ablations.py look at the layers of the others
        paths = [path for path in CONFIGS if 'family' not in path.parts]
    assert len(paths) > 10
    built = {}  # many configs differ by their schedule alone
    for path in paths:
        config = read(path)
        for part in ('backbone', 'head') if folder == 'body_2d_keypoint' else ('backbone',):
            key = str(config.model[part])
            if key not in built:
                with torch.device('meta'):  # nothing is drawn
                    network = MODELS.build(dict(config.model[part], _scope_='mmpose'))
                built[key] = any(True for _ in dynamic_layers(network))
            is_dynamic = built[key]
            assert is_dynamic <= ('dy-' in path.name), (path, part)
            assert is_dynamic or part == 'head' or 'dy-' not in path.name, (path, part)
