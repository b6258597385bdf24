"""A small dynamic network with every kind of layer, exported once."""

import pytest
import torch
from mmengine.registry import init_default_scope
from small_network import CONFIG, enliven, small_config

from dyconv_pose.apis import build_model, load_config, load_estimator
from dyconv_pose.deploy import export_onnx


@pytest.fixture(scope='session')
def estimator(tmp_path_factory):
    """The network in torch, with the mirror image."""
    init_default_scope('mmpose')
    torch.manual_seed(0)
    config = small_config(load_config(CONFIG))
    model = build_model(config)
    enliven(model)
    path = tmp_path_factory.mktemp('checkpoint') / 'a.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return load_estimator(config, path)


@pytest.fixture(scope='session')
def exported(tmp_path_factory, estimator):
    """The file, for any batch size, and the report."""
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    path = tmp_path_factory.mktemp('exported') / 'model.onnx'
    return path, export_onnx(estimator.model, path, source='small')
