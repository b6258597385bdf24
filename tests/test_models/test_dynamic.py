"""Any network of MMPose, dynamic by one line of a config, from scratch and from a static checkpoint."""

import logging
import re

import pytest
import torch
from mmcv.cnn import ConvModule
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmpose.apis import init_model
from mmpose.registry import MODELS
from mmpose.testing import get_packed_inputs
from small_network import ROOT
from torch import nn

from dyconv_pose.apis import build_model, load_config
from dyconv_pose.layers import DyConv2d, dynamic_layers, make_dynamic

CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)

HRNET_EXTRA = dict(
    stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(16,)),
    stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(1, 1), num_channels=(8, 16)),
    stage3=dict(num_modules=1, num_branches=3, block='BASIC', num_blocks=(1, 1, 1), num_channels=(8, 16, 32)),
    stage4=dict(num_modules=1, num_branches=4, block='BASIC', num_blocks=(1,) * 4, num_channels=(8, 16, 32, 64)),
)
LITEHRNET_EXTRA = dict(
    stem=dict(stem_channels=32, out_channels=32, expand_ratio=1),
    num_stages=2,
    stages_spec=dict(
        num_modules=(1, 1),
        num_branches=(2, 3),
        num_blocks=(1, 1),
        module_type=('LITE', 'LITE'),
        with_fuse=(True, True),
        reduce_ratios=(8, 8),
        num_channels=((40, 80), (40, 80, 160)),
    ),
    with_head=True,
)

#: Networks of MMPose, those of ViPNAS with one block a stage, and patterns for what of each is to stay static.
NETWORKS = {
    'hrnet': (dict(type='HRNet', extra=HRNET_EXTRA), ['conv1']),
    'litehrnet': (dict(type='LiteHRNet', extra=LITEHRNET_EXTRA), ['stem.conv1.*', '*_weighting.*']),
    'cspnext': (dict(type='CSPNeXt', deepen_factor=0.167, widen_factor=0.375), ['stem.*', '*.attention.*']),
    'vipnas-mbv3': (dict(type='ViPNAS_MobileNetV3', dep=[None, *[1] * 6]), ['conv1.*', '*.se.*']),
    'vipnas-res': (dict(type='ViPNAS_ResNet', depth=50, dep=[None, *[1] * 4]), ['*.attention.*', '*.downsample.*']),
    'shufflenetv2': (dict(type='ShuffleNetV2', widen_factor=0.5), ['conv1.*']),
}


def build_pair(name: str, **kwargs) -> tuple[nn.Module, nn.Module]:
    """The static network, and the dynamic one with a sharp attention that differs from sample to sample."""
    cfg, exclude = NETWORKS[name]
    static = MODELS.build(cfg)
    network = MODELS.build(
        dict(type='dynamic', network={**cfg, **kwargs}, conv_cfg={**CONV_CFG, 'temperature': 0.1}, exclude=exclude)
    )
    return static, network


def last(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    outputs = network(x)
    return outputs[-1] if isinstance(outputs, tuple) else outputs


def randomize(network: nn.Module) -> nn.Module:
    """Gives a network weights with which signals keep their size, and statistics that are not trivial."""
    for module in network.modules():
        if type(module) is nn.Conv2d:
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


@pytest.mark.parametrize('name', NETWORKS)
class TestAnyNetwork:
    def test_is_dynamic_where_the_rule_says(self, name):
        static, network = build_pair(name)
        assert type(network) is type(static)
        convs = {n: m for n, m in static.named_modules() if isinstance(m, nn.Conv2d)}
        layers = dict(dynamic_layers(network))
        assert layers
        assert layers.keys() < convs.keys()
        for n, module in network.named_modules():
            assert not isinstance(module, nn.Conv2d) or n not in layers
        stay = {n for n in convs if n not in layers}
        assert {type(network.get_submodule(n)) for n in stay} == {nn.Conv2d}

    def test_trains(self, name):
        _, network = build_pair(name)
        network.init_weights()
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        before = {n: layer.weight.clone() for n, layer in dynamic_layers(network)}
        x = torch.rand(2, 3, 64, 64)
        for _ in range(2):
            loss = (last(network, x) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert torch.isfinite(loss)
        moved = [n for n, layer in dynamic_layers(network) if not torch.equal(layer.weight, before[n])]
        # HRNet's last stage feeds outputs other than the one that has the loss here.
        assert len(moved) > 0.5 * len(before)

    def test_starts_as_the_static_network_of_a_checkpoint(self, name, tmp_path):
        static, _ = build_pair(name)
        randomize(static).eval()
        path = str(tmp_path / 'static.pth')
        state = {f'backbone.{key}': value for key, value in static.state_dict().items()}
        torch.save({'state_dict': state, 'meta': {}}, path)
        init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
        _, network = build_pair(name, init_cfg=init_cfg)
        network.init_weights()
        network.eval()
        static.double(), network.double()
        x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
        with torch.no_grad():
            expected, found = last(static, x), last(network, x)
        assert expected.std() > 1e-3
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * expected.abs().max().item())


@pytest.mark.parametrize('name', ['hrnet', 'litehrnet', 'cspnext', 'vipnas-mbv3'])
def test_kernels_start_as_the_static_ones_do(name):
    static, network = build_pair(name)
    static.init_weights(), network.init_weights()
    for n, layer in dynamic_layers(network):
        expected = static.get_submodule(n).weight
        if expected.numel() >= 2000:
            assert layer.weight.std().item() == pytest.approx(expected.std().item(), rel=0.1), n


def test_the_parts_of_an_estimator_start_by_their_own_initialisers():
    head = dict(type='HeatmapHead', in_channels=4, out_channels=17, deconv_out_channels=None)
    init_cfg = [dict(type='Normal', layer='Conv2d', std=0.5, bias=0.25)]
    backbone = dict(type='DyMobileNetV2', widen_factor=0.35, conv_cfg=None, init_cfg=init_cfg)
    network = nn.ModuleDict(dict(backbone=MODELS.build(backbone), head=MODELS.build(head)))
    make_dynamic(network, CONV_CFG, include=['*'])
    big = network.backbone.conv2.conv
    assert big.weight.std().item() == pytest.approx(0.5, rel=0.05)
    final = network.head.final_layer
    assert final.weight.std().item() == pytest.approx(0.001, rel=0.3)


def test_the_stem_of_litehrnet_is_static_in_its_config():
    path = ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_dy-litehrnet-18_8xb64-210e_coco-256x192.py'
    names = [name for name, _ in dynamic_layers(build_model(load_config(path)))]
    assert names and not [name for name in names if 'stem' in name]


@pytest.mark.parametrize('kind', ['pointwise', 'depthwise', 'dense'])
def test_kinds(kind):
    cfg = dict(type='ShuffleNetV2', widen_factor=0.5)
    network = MODELS.build(dict(type='dynamic', network=cfg, conv_cfg=CONV_CFG, kinds=[kind]))
    for _, layer in dynamic_layers(network):
        pointwise = layer.kernel_size == (1, 1)
        assert kind == ('pointwise' if pointwise else 'depthwise' if layer.groups > 1 else 'dense')
    # Of 16 blocks three have two branches. A branch has one depthwise convolution; the first of two has one 1x1
    # convolution, every other two. There are a stem and a last 1x1 convolution besides.
    expected = {'pointwise': 16 * 2 + 3 + 1, 'depthwise': 16 + 3, 'dense': 1}[kind]
    assert sum(1 for _ in dynamic_layers(network)) == expected


class TestCheckpointsOfEstimators:
    HEAD = dict(type='HeatmapHead', in_channels=1280, out_channels=17, deconv_out_channels=None)

    def estimator(self, conv_cfg, **kwargs):
        return MODELS.build(
            dict(
                type='TopdownPoseEstimator',
                backbone=dict(type='DyMobileNetV2', widen_factor=0.35, conv_cfg=conv_cfg, **kwargs),
                head=dict(self.HEAD, loss=dict(type='KeypointMSELoss')),
            )
        )

    def save(self, model, tmp_path):
        path = str(tmp_path / 'model.pth')
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
        return path

    def test_load_from(self, tmp_path, caplog):
        """As ``load_from`` of a config does it: nothing is missing, nothing is said."""
        static, network = self.estimator(None), self.estimator(CONV_CFG)
        randomize(static)
        logger = logging.getLogger('test_dynamic')
        with caplog.at_level(logging.WARNING):
            load_checkpoint(network, self.save(static, tmp_path), strict=False, logger=logger)
            load_checkpoint(network, self.save(static, tmp_path), strict=True, logger=logger)
        assert not caplog.records
        static.eval(), network.eval()
        static.double(), network.double()
        x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
        with torch.no_grad():
            expected = static.head(static.extract_feat(x))
            found = network.head(network.extract_feat(x))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)

    def test_another_number_of_kernels(self, tmp_path):
        path = self.save(self.estimator({**CONV_CFG, 'num_kernels': 2}), tmp_path)
        message = r'backbone\.layer1\S+ has K=4 and the checkpoint K=2: set num_kernels=2 in conv_cfg'
        with pytest.raises(ValueError, match=message):
            load_checkpoint(self.estimator(CONV_CFG), path)
        network = self.estimator(CONV_CFG, init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))
        with pytest.raises(ValueError, match=re.escape('K=4 and the checkpoint K=2')):
            network.init_weights()


def test_each_kernel_starts_as_mmcv_starts_a_static_one():
    static = ConvModule(64, 96, 3).conv.weight
    dynamic = ConvModule(64, 96, 3, conv_cfg=dict(type='DyConv2d', num_kernels=6)).conv.weight
    assert dynamic.shape == (6, *static.shape)
    for kernel in dynamic:
        assert kernel.std().item() == pytest.approx(static.std().item(), rel=0.03)
        assert kernel.mean().item() == pytest.approx(0, abs=0.03 * static.std().item())
    assert not torch.equal(dynamic[0], dynamic[1])


def test_conv_cfg_works_in_conv_module():
    module = ConvModule(
        8,
        8,
        3,
        padding=1,
        groups=8,
        conv_cfg=dict(type='DyConv2d', num_kernels=2, reduction=2, temperature=5),
        norm_cfg=dict(type='BN'),
    )
    assert isinstance(module.conv, DyConv2d)
    assert (module.conv.num_kernels, module.conv.attention.squeeze.out_features) == (2, 4)
    assert module.conv.bias is None  # a normalisation follows
    assert module(torch.randn(2, 8, 5, 5)).shape == (2, 8, 5, 5)


def test_narrowed_rule_of_a_dynamic_network():
    network = MODELS.build(dict(type='DyMobileNetV2', conv_cfg=CONV_CFG, dynamic_convs=['layer3.*', 'conv1.*']))
    names = [name for name, _ in dynamic_layers(network)]
    assert names
    assert all(name.startswith('layer3.') for name in names)  # conv1 is static by the rule of the class
    assert not list(dynamic_layers(MODELS.build(dict(type='DyMobileNetV2', conv_cfg=None, dynamic_convs=['layer3.*']))))


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (dict(include=['layer9.*']), r"must match at least one convolution of ResNet, and \['layer9\.\*'\]"),
        (dict(exclude=['*']), 'matches none'),
        (dict(kinds=['depthwise']), 'matches none'),
    ],
)
def test_mistakes(rule, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='dynamic', network=dict(type='ResNet', depth=18), conv_cfg=CONV_CFG, **rule))
    with pytest.raises(ValueError, match='num_kernels must be at least 1, got 0'):
        MODELS.build(
            dict(type='dynamic', network=dict(type='ResNet', depth=18), conv_cfg=dict(CONV_CFG, num_kernels=0))
        )


def test_whole_estimator_of_rtmpose_takes_a_training_step():
    """SimCC head, CSPNeXt backbone; the whole network is made dynamic, its head too."""
    config = get_config('mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py')
    init_default_scope('mmpose')
    config.model.backbone = dict(config.model.backbone, _scope_='mmpose', norm_cfg=dict(type='BN'), init_cfg=None)
    model = MODELS.build(dict(type='dynamic', network=config.model, conv_cfg=CONV_CFG, exclude=['backbone.stem.*']))
    assert isinstance(model.head.final_layer, DyConv2d)
    model.init_weights()
    model.train()
    batch = get_packed_inputs(
        2, img_shape=(256, 192), input_size=(192, 256), with_simcc_label=True, simcc_split_ratio=2.0
    )
    data = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(layer.weight.grad is not None for _, layer in dynamic_layers(model))


def test_the_networks_init_cfg_may_stand_beside_it(tmp_path):
    """Where MMPose's init_model looks for it, to leave it out."""
    network = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8)
    static = randomize(MODELS.build(network))
    torch.save({'state_dict': static.state_dict()}, tmp_path / 'static.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'static.pth'))
    backbone = dict(type='dynamic', network=network, conv_cfg=CONV_CFG, init_cfg=init_cfg)
    started = MODELS.build(backbone)
    started.init_weights()
    assert torch.equal(started.conv1.weight[1], static.conv1.weight)
    head = dict(type='HeatmapHead', in_channels=64, out_channels=17, deconv_out_channels=None)
    config = Config(dict(model=dict(type='TopdownPoseEstimator', backbone=backbone, head=head)))
    assert init_model(config, device='cpu').backbone.conv1.weight.dim() == 5
