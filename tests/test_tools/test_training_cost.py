"""What a training costs, against what is known of small networks."""

from pathlib import Path

import pytest
import torch
from analysis_tools.pages.networks import COCO_FOLDER
from mmengine.config import Config
from torch import nn

from benchmarks.training_cost import kept_bytes, memory_of
from dyconv_pose.apis import build_model
from dyconv_pose.layers import dynamic_layers

ROOT = Path(__file__).parents[2]


def test_bytes_that_a_forward_pass_keeps():
    network = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Sigmoid(), nn.Linear(16, 4, bias=False))
    x = torch.randn(5, 8)
    # the inputs of both linear layers; the second one's is the sigmoid's output, kept once; weights are not counted
    assert kept_bytes(lambda: network(x).sum(), network) == 4 * (5 * 8 + 5 * 16)
    assert kept_bytes(lambda: network(torch.cat([x, x])).sum(), network) == 2 * 4 * (5 * 8 + 5 * 16)


def test_memory_of_a_config_grows_with_the_network():
    name = 'mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
    configs = [Config.fromfile(ROOT / COCO_FOLDER / f'td-hm_{kind}{name}') for kind in ('', 'dy-')]
    static, dynamic = map(memory_of, configs)
    assert static['parameters'] == sum(parameter.numel() for parameter in build_model(configs[0]).parameters())
    assert static['state'] == 16 * static['parameters']
    # each person has kernels of its own, and they are kept
    kernels = sum(layer.weight[0].numel() for _, layer in dynamic_layers(build_model(configs[1])))
    assert dynamic['per_person'] - static['per_person'] == pytest.approx(4 * kernels, rel=0.2)
