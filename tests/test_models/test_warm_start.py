"""A dynamic network from a static checkpoint, as a config says it."""

import pytest
import torch
from mmpose.registry import MODELS

from dyconv_pose.layers import dynamic_layers

CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=1)


def network(conv_cfg=CONV_CFG, **kwargs):
    return MODELS.build(dict(type='DyMobileNetV2', widen_factor=0.35, conv_cfg=conv_cfg, **kwargs))


@pytest.fixture
def static(tmp_path):
    """A static network whose batch statistics are not trivial, and its checkpoint."""
    static = network(None)
    static.init_weights()
    static.eval()
    for module in static.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, std=0.1)
    state = {f'backbone.{name}': weight for name, weight in static.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {}}, tmp_path / 'static.pth')
    return static, str(tmp_path / 'static.pth')


def started(checkpoint, **kwargs):
    init_cfg = dict(type='WarmStart', checkpoint=checkpoint, **{'prefix': 'backbone.', **kwargs})
    # As a runner does it: by the model whose part the backbone is.
    head = dict(type='HeatmapHead', in_channels=1280, out_channels=2, deconv_out_channels=None)
    backbone = dict(type='DyMobileNetV2', widen_factor=0.35, conv_cfg=CONV_CFG, init_cfg=init_cfg)
    model = MODELS.build(
        dict(type='TopdownPoseEstimator', backbone=backbone, head=dict(head, loss=dict(type='KeypointMSELoss')))
    )
    model.init_weights()
    model.eval()
    return model.backbone


def test_without_noise_it_computes_what_the_static_network_does(static):
    static, checkpoint = static
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        (expected,), (found,) = static.double()(x), started(checkpoint, noise=0).double()(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * expected.abs().max().item())


def test_noise_parts_the_kernels_around_the_static_one(static):
    static, checkpoint = static
    layers = dict(dynamic_layers(started(checkpoint, noise=0.1)))
    assert layers
    for name, layer in layers.items():
        kernel = static.get_submodule(name).weight
        torch.testing.assert_close(layer.weight.mean(0), kernel, rtol=0, atol=1e-6)
        # Centring over K = 4 kernels takes a quarter of the variance.
        expected = 0.1 * kernel.std().item() * 0.75**0.5
        assert (layer.weight - kernel).std().item() == pytest.approx(expected, rel=0.2)


def test_of_a_backbone_alone(static):
    backbone = network(init_cfg=dict(type='WarmStart', checkpoint=static[1], prefix='backbone.', noise=0.5))
    backbone.init_weights()
    name, layer = next(iter(dynamic_layers(backbone)))
    assert not torch.equal(layer.weight[0], layer.weight[1])
    torch.testing.assert_close(layer.weight.mean(0), static[0].get_submodule(name).weight, rtol=0, atol=1e-6)


def test_mistakes(static, tmp_path):
    _, checkpoint = static
    with pytest.raises(FileNotFoundError):
        started(str(tmp_path / 'none.pth'))
    with pytest.raises(ValueError, match='noise must not be negative, got -1'):
        started(checkpoint, noise=-1)
    with pytest.raises(ValueError, match=r'prefix "model\." has no fitting weight for (\d+) of \1, such as conv1'):
        started(checkpoint, prefix='model.')
    content = torch.load(checkpoint)
    del content['state_dict']['backbone.conv2.conv.weight']
    torch.save(content, tmp_path / 'less.pth')
    with pytest.raises(ValueError, match=r'no fitting weight for 1 of \d+, such as conv2\.conv\.weight'):
        started(str(tmp_path / 'less.pth'))
