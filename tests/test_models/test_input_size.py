"""Input sizes that a network's stride does not divide are refused in one sentence, before anything runs."""

import pytest
import torch
from mmpose.registry import MODELS
from test_dynamic import HRNET_EXTRA

from dyconv_pose.apis.config import check_input_size

BACKBONES = {
    'resnet': (dict(type='DyResNet', depth=10, stem_channels=8, base_channels=8, conv_cfg=None), 64, 32),
    'small-s16': (dict(type='DyMobileNetV3', arch='small-s16'), 48, 16),
    'hrnet': (dict(type='HRNet', extra=HRNET_EXTRA), 8, 32),
}


def estimator(name, width, height, **kwargs):
    backbone, channels, _ = BACKBONES[name]
    codec = dict(type='MSRAHeatmap', input_size=(width, height), heatmap_size=(width // 4, height // 4), sigma=2)
    head = dict(type='HeatmapHead', in_channels=channels, out_channels=17, deconv_out_channels=None, decoder=codec)
    return MODELS.build(dict(type='TopdownPoseEstimator', backbone=backbone, head={**head, **kwargs}))


@pytest.mark.parametrize('name', BACKBONES)
def test_multiples_of_the_stride_are_taken(name):
    model = estimator(name, 96, 128).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    check_input_size(model)
    assert model.backbone.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ('name', 'size', 'words'),
    [
        ('resnet', (144, 192), 'stride of the network, 32, .* got 144x192 .*: take (128|160)x192 or (128|160)x192'),
        ('hrnet', (144, 192), 'stride of the network, 32, .* got 144x192 .*: take (128|160)x192'),
        ('hrnet', (96, 130), 'take 96x128 or 96x160'),
        ('small-s16', (100, 128), 'the network, 16, .* got 100x128 .*: take 96x128 or 112x128'),
        ('resnet', (40, 40), 'the network, 32, .* take 32x32'),
    ],
)
def test_others_are_refused(name, size, words):
    with pytest.raises(ValueError, match=words):
        check_input_size(estimator(name, *size))


def test_sizes_that_fit_a_smaller_stride():
    check_input_size(estimator('small-s16', 144, 192))


def test_networks_without_heatmaps_are_left_alone():
    model = estimator('resnet', 144, 192, decoder=None)
    check_input_size(model)
    check_input_size(torch.nn.Conv2d(3, 4, 3))
