"""The pyramid and the heatmap branch of separable convolutions."""

import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from dyconv_pose.deploy import to_deploy
from dyconv_pose.layers import dynamic_layers

CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)
LEVELS = [(2, 24, 16, 12), (2, 32, 8, 6), (2, 64, 4, 3), (2, 1280, 2, 2)]


def neck(**kwargs):
    return MODELS.build(dict(type='SeparableFPN', conv_cfg=None, **kwargs))


def head(**kwargs):
    return MODELS.build(dict(type='SeparableHead', conv_cfg=None, loss=dict(type='KeypointMSELoss'), **kwargs))


def test_the_pyramid_adds_level_to_level():
    """Against the sum that it is; a level of an odd size takes that of the finer one."""
    features = [torch.randn(shape) for shape in LEVELS]
    pyramid = neck()
    (found,) = pyramid(features)
    y = pyramid.laterals[3](features[3])
    for level in (2, 1, 0):
        above = F.interpolate(y, LEVELS[level][2:], mode='bilinear')
        y = pyramid.fusions[level](above + pyramid.laterals[level](features[level]))
    torch.testing.assert_close(found, y)
    assert found.shape == (2, 24, 16, 12)


def test_heatmaps_lie_between_0_and_1():
    heatmaps = head(out_channels=5)((torch.randn(2, 24, 16, 12),))
    assert heatmaps.shape == (2, 5, 16, 12)
    assert heatmaps.min() > 0
    assert heatmaps.max() < 1


def test_parameter_counts():
    """Of MoveNet Lightning but for its other branches: with the backbone 2.3M, with a dynamic backbone 10.0M."""
    for conv_cfg, millions in ((None, 2.32), (CONV_CFG, 9.97)):
        backbone = MODELS.build(dict(type='DyMobileNetV2', padding='same', conv_cfg=conv_cfg))
        count = sum(p.numel() for part in (backbone, neck(), head()) for p in part.parameters()) / 1e6
        assert count == pytest.approx(millions, abs=0.02)


def test_what_is_dynamic():
    dynamic_neck = MODELS.build(dict(type='SeparableFPN', conv_cfg=CONV_CFG))
    dynamic_head = MODELS.build(dict(type='SeparableHead', conv_cfg=CONV_CFG))
    assert len(list(dynamic_layers(dynamic_neck))) == 4 + 3 * 2
    assert [name for name, _ in dynamic_layers(dynamic_head)] == ['conv_layers.0', 'conv_layers.1']


@pytest.mark.parametrize('plan', ['torch', 'any_batch', 'batch_1'])
def test_deployed_is_the_same_function(plan):
    """With the padding, the pyramid and the branch, all dynamic."""
    cfg = dict(
        type='TopdownPoseEstimator',
        backbone=dict(type='DyMobileNetV2', padding='same', out_indices=(1, 2, 3, 7), conv_cfg=CONV_CFG),
        neck=dict(type='SeparableFPN', conv_cfg=CONV_CFG),
        head=dict(type='SeparableHead', conv_cfg=CONV_CFG),
    )
    model = MODELS.build(cfg)
    for part in model.modules():
        part.training = False
    x = torch.randn(1 if plan == 'batch_1' else 2, 3, 64, 64)
    with torch.no_grad():
        expected = model(x, None, mode='tensor')
        found = to_deploy(model, plan)(x, None, mode='tensor')
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='one entry for each level but the coarsest, got 2 for 4 levels'):
        neck(channels=(24, 32))
