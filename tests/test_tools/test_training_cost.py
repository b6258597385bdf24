"""What a training costs, against what is known of small networks."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from dyconv_pose.analysis.coco_run import coco_run_page
from dyconv_pose.analysis.training_cost import kept_bytes, memory_of
from dyconv_pose.analysis.zoo import COCO_FOLDER
from mmengine.config import Config
from torch import nn

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


def test_page_follows_from_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr('dyconv_pose.analysis.coco_run.cost_of', lambda config: SimpleNamespace(madds=10**9))
    folder = tmp_path / 'benchmarks' / 'results'
    folder.mkdir(parents=True)
    figures = dict(parameters=10**6, state=16 * 10**6, per_person=10**7)
    record = dict(networks={'net': figures}, loading_cpu_seconds=0.01, versions={'torch': '2'}, machine='A machine')
    (folder / 'training_cost.json').write_text(json.dumps(record))
    page = coco_run_page(tmp_path)
    assert '| 1.00M | 0.02 GB | 0.64 GB | 0.66 GB |' in page
    hours = 6 * 1e9 * 149_813 * 210 / 1e12 / 3600
    assert f'| 1000M | {hours:.0f} | {hours / 2:.0f} |' in page
    assert 'are 491,610 iterations on one GPU, 61,530 on\neight' in page
    assert 'in 10.0 ms of CPU time' in page
    assert '100 persons a second per core' in page
