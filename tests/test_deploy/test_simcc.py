"""RTMPose-t: a training step, an exported file, and the file in ONNX Runtime, in this project and in rtmlib."""

import cv2
import numpy as np
import pytest
import torch
from mmpose.testing import get_packed_inputs
from small_network import ROOT

from dyconv_pose.apis import load_config
from dyconv_pose.apis.estimator import MMPoseModel, load_model
from dyconv_pose.deploy import load_exported, read_exported
from dyconv_pose.deploy.export import export_onnx
from dyconv_pose.inference import PoseEstimator

RTMPOSE = ROOT / 'configs/body_2d_keypoint/rtmpose/coco'
BOXES = [[30, 20, 150, 220], [120.5, 3.25, 300.75, 200.5], [-20, -30, 90, 100]]


@pytest.fixture(scope='module')
def image():
    small = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope='module')
def config():
    config = load_config(RTMPOSE / 'dy-rtmpose-t_8xb256-420e_coco-256x192.py')
    config.model.backbone.init_cfg = None
    config.model.backbone.include = ['stage4.*']  # tracing takes its time by the dynamic layer
    config.model.backbone.exclude = ['*.attention.fc']
    return config


@pytest.fixture(scope='module')
def trained(config):
    """The network after one training step, with vectors that vary."""
    torch.manual_seed(0)
    model = load_model(config, None, flip_test=True)
    network = model.network.module
    for layer in (network.head.cls_x, network.head.cls_y):
        torch.nn.init.normal_(layer.weight)
    network.train()
    packed = get_packed_inputs(2, img_shape=(256, 192), simcc_split_ratio=2.0, with_heatmap=False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    features = network.backbone(torch.stack(packed['inputs']).float() / 255)
    losses = network.head.loss(features, packed['data_samples'])
    losses['loss_kpt'].backward()
    optimizer.step()
    assert losses['loss_kpt'].isfinite()
    network.eval()
    return model


@pytest.fixture(scope='module')
def exported(trained, tmp_path_factory):
    pytest.importorskip('onnxscript')
    path = tmp_path_factory.mktemp('exported') / 'rtmpose.onnx'
    report = export_onnx(trained, path)
    assert max(report.errors.values()) <= 1e-4
    return path


def test_decoding_is_mmposes(config, trained, image):
    torch.manual_seed(0)
    theirs = load_model(config, None, flip_test=True, keep_heatmaps=True)
    assert isinstance(theirs, MMPoseModel)  # which alone makes heatmaps of SimCC vectors
    theirs.model.backbone, theirs.model.head = trained.network.module.backbone, trained.network.module.head
    expected = PoseEstimator(theirs, None).predict(image, BOXES, 'bgr')
    found = PoseEstimator(trained, None).predict(image, BOXES, 'bgr')
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    assert len(np.unique(found.keypoints[0, :, 0])) > 5  # they are not all at one place


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_the_file_runs_here(trained, exported, image, backend):
    pytest.importorskip(backend)
    assert (read_exported(exported).codec, read_exported(exported).spec) == ('SimCCLabel', trained.spec)
    expected = PoseEstimator(trained, None).predict(image, BOXES, 'bgr')
    found = load_exported(exported, backend, threads=1).predict(image, BOXES, 'bgr')
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    same = np.abs(found.keypoints - expected.keypoints).max(axis=2) < 0.5
    assert same.mean() > 0.95  # a tie between two maxima may be broken otherwise
    with pytest.raises(ValueError, match='has SimCC vectors: leave out --heatmaps'):
        load_exported(exported, backend, keep_heatmaps=True)


@pytest.mark.slow
def test_the_file_runs_in_rtmlib(exported, image):
    rtmlib = pytest.importorskip('rtmlib', reason='pip install --no-deps -r requirements/benchmarks.txt')
    plain = load_exported(exported, threads=1, flip_test=False)
    expected = plain.predict(image, BOXES, 'bgr')
    # It normalises what it gets without exchanging red and blue: the network takes red first.
    keypoints, scores = rtmlib.RTMPose(str(exported), (192, 256))(image[..., ::-1], BOXES)
    same = np.abs(keypoints - expected.keypoints).max(axis=2) < 1
    assert same.mean() > 0.9
    assert scores.shape == expected.scores.shape
