"""What the hook logs of the attention, in a real run."""

import json
from pathlib import Path

import pytest
import torch
from tiny_coco import tiny_config, write_coco

from dyconv_pose.apis import train
from dyconv_pose.engine.attention import AttentionLogHook, normalised_entropy
from dyconv_pose.layers import dynamic_layers

pytestmark = pytest.mark.filterwarnings('ignore')


def logged(work_dir):
    (file,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_run_logs_every_layer(tmp_path):
    backends = [dict(type='LocalVisBackend')]
    try:
        import tensorboard  # noqa: F401

        backends.append(dict(type='TensorboardVisBackend'))
    except ImportError:
        pass
    config = tiny_config(write_coco(tmp_path / 'coco'), tmp_path / 'work', epochs=2)
    config.default_hooks.attention = dict(type='AttentionLogHook', interval=2)
    config.default_hooks.logger.interval = 1
    config.visualizer.vis_backends = backends
    runner = train(config)
    names = [name for name, _ in dynamic_layers(runner.model)]
    entries = [entry for entry in logged(config.work_dir) if any(key.startswith('attention/') for key in entry)]
    assert [entry['step'] for entry in entries] == [2, 4]  # two iterations an epoch, every second one logged
    for entry in entries:
        values = [entry[f'attention/entropy/{name}'] for name in names]
        assert all(0.9 < value <= 1 + 1e-6 for value in values)  # at a temperature of 30
        assert all(-1e-6 <= entry[f'attention/image_dependence/{name}'] < 0.1 for name in names)
    of_training = [entry for entry in logged(config.work_dir) if 'attention_entropy' in entry]
    assert of_training[-1]['attention_entropy'] == pytest.approx(sum(values) / len(values), abs=1e-3)
    assert not [layer for _, layer in dynamic_layers(runner.model) if layer.attention._forward_hooks]
    if len(backends) > 1:
        assert list((tmp_path / 'work').rglob('events.out.tfevents*'))


def test_entropy():
    pi = torch.tensor([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0]])
    torch.testing.assert_close(normalised_entropy(pi), torch.tensor([0.0, 1.0, 0.5]))
    assert normalised_entropy(torch.ones(2, 1)).tolist() == [1, 1]


def test_static_networks_are_refused():
    class Runner:
        model = torch.nn.Conv2d(1, 1, 1)

    with pytest.raises(ValueError, match='has no dynamic layer'):
        AttentionLogHook().before_train(Runner())
    with pytest.raises(ValueError, match='at least 1'):
        AttentionLogHook(interval=0)
