"""Costs against counts by hand, against MMEngine's and PyTorch's counters, and against the paper."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from analysis_tools.costs.comparison import compare_coco, compare_imagenet
from analysis_tools.costs.counter import count
from analysis_tools.costs.estimators import count_config, count_estimator, input_size_of
from analysis_tools.costs.paper import COCO, IMAGENET
from mmengine.analysis import FlopAnalyzer, parameter_count
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dyconv_pose.layers import DyConv2d

ROOT = Path(__file__).resolve().parents[2]
COCO_CONFIGS = ROOT / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
NARROW = COCO_CONFIGS / 'td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'


class TestByHand:
    @pytest.mark.parametrize(
        ('layer', 'shape', 'madds'),
        [
            # output height * width * output channels * input channels per group * kernel
            (nn.Conv2d(8, 12, 3, padding=1), (8, 10, 6), 10 * 6 * 12 * 8 * 9),
            (nn.Conv2d(8, 12, 3, stride=2, padding=1), (8, 10, 6), 5 * 3 * 12 * 8 * 9),
            (nn.Conv2d(8, 12, (1, 3), groups=4, bias=False), (8, 10, 6), 10 * 4 * 12 * 2 * 3),
            (nn.Conv2d(8, 8, 3, dilation=2, groups=8), (8, 10, 6), 6 * 2 * 8 * 9),
            # a transposed convolution does its work once for every input position
            (nn.ConvTranspose2d(8, 12, 4, stride=2, padding=1), (8, 10, 6), 10 * 6 * 8 * 12 * 16),
            (nn.ConvTranspose2d(8, 12, 4, stride=2, groups=2), (8, 10, 6), 10 * 6 * 8 * 6 * 16),
            (nn.Linear(8, 5), (8,), 40),
            (nn.Linear(8, 5, bias=False), (3, 8), 3 * 40),
            # half a multiply-add for each pooled element, global pools only
            (nn.AdaptiveAvgPool2d(1), (8, 10, 6), 240),
            (nn.AvgPool2d((10, 6)), (8, 10, 6), 240),
            (nn.AdaptiveAvgPool2d(2), (8, 10, 6), 0),
            (nn.AvgPool2d(2), (8, 10, 6), 0),
            (nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Upsample(scale_factor=2)), (8, 10, 6), 0),
        ],
    )
    def test_static_layer(self, layer, shape, madds):
        cost = count(layer, torch.zeros(1, *shape))
        assert cost.madds == madds
        assert cost.gflops == 2 * madds / 1e9
        assert cost.params == sum(parameter.numel() for parameter in layer.parameters())

    @pytest.mark.parametrize('bias', [False, True])
    @pytest.mark.parametrize(
        ('c_in', 'c_out', 'kernel', 'stride', 'groups', 'num_kernels', 'reduction'),
        [(16, 24, 1, 1, 1, 4, 4), (16, 24, 3, 2, 1, 2, 4), (16, 16, 5, 1, 16, 8, 1), (12, 24, 3, 1, 3, 1, 4)],
    )
    def test_dynamic_layer(self, c_in, c_out, kernel, stride, groups, num_kernels, reduction, bias):
        layer = DyConv2d(
            c_in,
            c_out,
            kernel,
            stride,
            kernel // 2,
            groups=groups,
            bias=bias,
            num_kernels=num_kernels,
            reduction=reduction,
        )
        cost = count(layer, torch.zeros(1, c_in, 8, 6))
        kernel_size = c_out * c_in // groups * kernel**2
        hidden = c_in // reduction
        assert cost.madds_by_kind() == {
            'convolution': 8 // stride * 6 // stride * kernel_size,
            'aggregation': num_kernels * kernel_size,
            'matrix product': c_in * hidden + hidden * num_kernels,
            'pooling': c_in * 8 * 6 / 2,
        }
        attention = (c_in + 1) * hidden + (hidden + 1) * num_kernels
        assert cost.params == num_kernels * (kernel_size + bias * c_out) + attention

    def test_layer_that_runs_twice(self):
        class Twice(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(4, 4, 1, bias=False)
                self.same = self.conv

            def forward(self, x):
                return self.same(self.conv(x))

        cost = count(Twice(), torch.zeros(1, 4, 5, 5))
        assert cost.madds == 2 * 25 * 16
        assert cost.params == 16
        (layer,) = cost.layers
        assert (layer.name, layer.calls, layer.output_shape) == ('conv', 2, (1, 4, 5, 5))

    def test_shared_parameter(self):
        network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
        network[1].weight = network[0].weight
        assert count(network, torch.zeros(1, 4)).params == 16

    @pytest.mark.parametrize('batch_first', [False, True])
    def test_attention_of_a_transformer(self, batch_first):
        length, width = 7, 8
        layer = nn.MultiheadAttention(width, 2, batch_first=batch_first)
        x = torch.zeros((1, length, width) if batch_first else (length, 1, width))
        cost = count(layer, forward=lambda: layer(x, x, x))
        # projections of queries, keys, values and output; products with keys and with values
        assert cost.madds == 4 * length * width**2 + 2 * length**2 * width


class TestAgainstOtherCounters:
    @pytest.mark.parametrize(
        'config',
        [
            dict(type='MobileNetV2', widen_factor=0.35),
            dict(type='ResNet', depth=18),
            dict(type='ShuffleNetV2'),
            dict(type='ViPNAS_MobileNetV3'),
        ],
        ids=lambda config: config['type'],
    )
    def test_mmengine(self, config):
        network = MODELS.build(config)
        network.eval()
        x = torch.zeros(1, 3, 64, 64)
        cost = count(network, x)
        analyzer = FlopAnalyzer(network, (x,)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        theirs = analyzer.by_operator()
        ours = cost.madds_by_kind()
        assert ours['convolution'] == theirs['conv']
        # It counts one operation, we half a multiply-add, for each element of a global average pool.
        assert 2 * ours.get('pooling', 0) == theirs.get('adaptive_avg_pool2d', 0)
        assert cost.params == parameter_count(network)['']

    def test_mmengine_with_a_head(self):
        network = MODELS.build(dict(type='HeatmapHead', in_channels=16, out_channels=17, deconv_out_channels=(8, 8, 8)))
        network.eval()
        x = torch.zeros(1, 16, 4, 3)
        analyzer = FlopAnalyzer(network, ((x,),)).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        cost = count(network, forward=lambda: network((x,)))
        assert cost.madds == analyzer.by_operator()['conv'] > 0

    def test_pytorch_on_a_transformer(self):
        network = MODELS.build(dict(type='SwinTransformer', embed_dims=48, depths=(1, 1, 1, 1)))
        network.eval()
        x = torch.zeros(1, 3, 64, 64)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(x)
        assert 2 * count(network, x).madds == counter.get_total_flops()


class TestNetworkIsLeftAlone:
    def test_state(self):
        network = nn.Sequential(DyConv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
        network[1].eval()
        before = {key: value.clone() for key, value in network.state_dict().items()}
        count(network, torch.rand(1, 3, 8, 8))
        after = network.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert [network.training, *(layer.training for layer in network)] == [True, True, False, True]
        assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())

    def test_state_after_an_error(self):
        network = DyConv2d(3, 4, 3)
        with pytest.raises(RuntimeError):
            count(network, torch.rand(1, 5, 8, 8))
        assert network.training
        assert network.bias is not None
        assert not network.attention._forward_hooks


class TestConfigs:
    def test_parts(self):
        cost = count_config(NARROW)
        parts = [cost.part(name) for name in ('backbone', 'neck', 'head')]
        assert sum(part.madds for part in parts) == cost.madds
        assert sum(part.params for part in parts) == cost.params
        assert not parts[1].layers
        assert json.loads(json.dumps(cost.to_dict()))['parts'].keys() == {'backbone', 'head'}

    def test_input_size(self):
        assert input_size_of(Config.fromfile(NARROW)) == (128, 96)
        small, large = count_config(NARROW, (128, 96)), count_config(NARROW, (256, 192))
        assert large.madds_by_kind()['aggregation'] == small.madds_by_kind()['aggregation']
        assert large.madds > 3.5 * small.madds

    @pytest.mark.parametrize(
        ('name', 'params', 'gmadds'),
        [
            ('topdown_heatmap/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192', 1.13e6, 0.24),
            ('rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192', 3.34e6, 0.36),
            ('simcc/coco/simcc_vipnas-mbv3_8xb64-210e_coco-256x192', 8.65e6, 0.78),
        ],
    )
    @pytest.mark.filterwarnings('ignore')
    def test_mmpose_configs_as_published(self, name, params, gmadds):
        cost = count_config(f'mmpose::body_2d_keypoint/{name}.py')
        assert cost.params == pytest.approx(params, rel=0.01)
        assert cost.madds == pytest.approx(gmadds * 1e9, abs=6e6)

    @pytest.mark.parametrize('size', [None, (256, 192)])
    def test_no_image_network(self, size):
        lifter = dict(
            type='PoseLifter',
            backbone=dict(type='TCN', in_channels=34),
            head=dict(type='TemporalRegressionHead', in_channels=1024, num_joints=17, loss=dict(type='MPJPELoss')),
        )
        with pytest.raises(ValueError, match=r'takes images .*PoseLifter' if size else 'give --input-size'):
            count_config(Config(dict(model=lifter)), size)
        with pytest.raises(ValueError, match='takes images'):
            count_estimator(nn.Conv2d(3, 3, 1), (8, 8))

    def test_mistakes(self):
        with pytest.raises(FileNotFoundError, match='no-such'):
            count_config('no-such.py')
        with pytest.raises(ValueError, match='no "model"'):
            count_config(ROOT / 'configs' / '_base_' / 'default_runtime.py')
        with pytest.raises(ValueError, match='cannot be built'):
            count_config(Config(dict(model=dict(type='NoSuchEstimator'))))
        with pytest.raises(ValueError, match='batch size must be 1, got 2'):
            count(nn.Conv2d(3, 3, 1), torch.zeros(2, 3, 4, 4))


class TestPaper:
    @pytest.mark.parametrize('row', [row for row in IMAGENET if 'V3' not in row.name], ids=lambda row: row.name)
    def test_imagenet(self, row):
        (comparison,) = compare_imagenet([row])
        assert abs(comparison.figures['all']['gflops'].relative) < 0.006

    def test_overhead_of_mobilenetv3(self):
        (comparison,) = compare_imagenet([row for row in IMAGENET if 'V3' in row.name])
        assert comparison.overhead.paper == pytest.approx(0.038, abs=5e-4)
        assert comparison.overhead.ours == pytest.approx(comparison.overhead.paper, abs=0.015)

    def test_type_b(self):
        (comparison,) = compare_coco(ROOT / 'configs', [row for row in COCO if row.total_params])
        figures = comparison.figures
        assert figures['all']['params'].paper == 16.1e6
        assert abs(figures['all']['params'].relative) < 0.01
        assert abs(figures['backbone']['madds'].relative) < 0.006
        assert abs(figures['head']['madds'].relative) < 0.006

    def test_every_row_has_its_config(self):
        assert [row.config for row in COCO if not (COCO_CONFIGS / f'{row.config}.py').is_file()] == []


@pytest.mark.filterwarnings('ignore')
def test_tool(tmp_path, capsys, monkeypatch):
    result = tmp_path / 'new' / 'cost.json'
    monkeypatch.setattr(sys, 'argv', ['complexity.py', str(NARROW), '--layers', '--json', str(result)])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_path(str(ROOT / 'tools/analysis_tools/complexity.py'), run_name='__main__')
    printed = capsys.readouterr().out
    assert '2.85M' in printed
    assert 'head.final_layer' in printed
    (cost,) = json.loads(result.read_text()).values()
    assert cost['input_size_hw'] == [128, 96]
    assert cost['madds'] == sum(layer['madds'] for layer in cost['layers'])
