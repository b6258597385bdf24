"""The configs of the family: the static twin and a few lines; each trains, and exports."""

from functools import cache

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_network import CONFIG, enliven, small_config
from tiny_coco import ROOT, write_coco, write_config

from dyconv_pose.apis import load_config, train
from dyconv_pose.apis.config import use_ground_truth_boxes
from dyconv_pose.apis.estimator import load_model
from dyconv_pose.deploy.runtime import open_session
from dyconv_pose.engine.attention import set_temperature
from dyconv_pose.layers import dynamic_layers

COCO = ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco'
TAIL = '8xb64-210e_coco-256x192.py'
OPERATORS = {
    'condconv': 'CondConv2d',
    'odconv': 'ODConv2d',
    'dcd': 'DCDConv2d',
    'kernelwarehouse': 'KernelWarehouse2d',
}


read = cache(Config.fromfile)


@pytest.mark.parametrize('operator', OPERATORS)
@pytest.mark.parametrize('width', ['mobilenetv2-x0.5', 'mobilenetv2'])
def test_is_its_static_twin_and_a_few_lines(width, operator):
    path, base = COCO / f'family/td-hm_dy-{width}-bneck-{operator}_{TAIL}', COCO / f'td-hm_{width}-bneck_{TAIL}'
    config, twin = read(path).to_dict(), read(base).to_dict()
    assert {key for key in twin if config[key] != twin[key]} <= {'model', 'default_hooks'}
    assert config['model']['backbone'].pop('conv_cfg') == config['model']['head'].pop('conv_cfg') == config['conv_cfg']
    twin['model']['backbone']['type'] = 'DyMobileNetV2'
    assert config['model'] == twin['model']
    assert config['conv_cfg']['type'] == OPERATORS[operator]
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith('#')]
    assert len(lines) <= 11  # with the line that names the base


@pytest.mark.parametrize('operator', OPERATORS)
def test_trains_and_its_checkpoint_is_read(operator, tmp_path):
    """Of a narrow network with few dynamic layers."""
    base = COCO / f'family/td-hm_dy-mobilenetv2-x0.5-bneck-{operator}_{TAIL}'
    options = dict(
        model=dict(
            backbone=dict(widen_factor=0.25, dynamic_convs=['layer6.*', 'layer7.*']),
            head=dict(stage_out_channels=(16, 16, 16), stage_hidden_channels=((None,), (32,), (32,))),
        ),
        train_cfg=dict(max_epochs=1, val_interval=1),
        **dict.fromkeys(('val_cfg', 'val_dataloader', 'val_evaluator')),
        default_hooks=dict(checkpoint=dict(interval=1, save_best=None)),
        work_dir=str(tmp_path / 'run'),
        log_level='ERROR',
    )
    path = write_config(tmp_path / 'config.py', write_coco(tmp_path / 'coco', 1), base=base, **options)
    trained = train(use_ground_truth_boxes(load_config(path))).model
    layers = dict(dynamic_layers(trained))
    assert {type(layer).__name__ for layer in layers.values()} == {OPERATORS[operator]}
    model = load_model(path, tmp_path / 'run/epoch_1.pth')
    state = model.network.module.state_dict()
    assert any(torch.is_floating_point(value) for value in state.values())
    assert all(torch.equal(trained.state_dict()[name], value) for name, value in state.items())


@pytest.mark.slow
@pytest.mark.parametrize('operator', OPERATORS)
def test_exports_with_a_free_batch_size(operator, tmp_path):
    """Of a network with few layers, since tracing takes its time by the layer."""
    pytest.importorskip('onnxscript')
    from dyconv_pose.deploy import export_onnx

    config = load_config(COCO / f'family/td-hm_dy-mobilenetv2-x0.5-bneck-{operator}_{TAIL}')
    small = small_config(load_config(CONFIG))
    small.model.backbone.conv_cfg = small.model.head.conv_cfg = config.conv_cfg
    model = load_model(small, None)
    enliven(model.network.module)
    set_temperature(model.network.module, 0.5)
    report = export_onnx(model, tmp_path / 'model.onnx')
    assert max(report.errors.values()) <= 1e-4
    found, batch = open_session(tmp_path / 'model.onnx').run, np.random.default_rng(0).standard_normal((5, 3, 128, 96))
    heatmaps = found(batch.astype(np.float32))
    np.testing.assert_allclose(heatmaps[:2], found(batch[:2].astype(np.float32)), atol=1e-4 * np.abs(heatmaps).max())
    assert np.abs(heatmaps[0] - heatmaps[1]).max() > 5e-4 * np.abs(heatmaps).max()
