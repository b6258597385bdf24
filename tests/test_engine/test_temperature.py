"""The temperature schedule as a function, and as a hook in a real run that stops and resumes."""

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from dyconv_pose.engine import temperature_at
from dyconv_pose.engine.attention import set_temperature
from dyconv_pose.layers import DyConv2d, KernelAttention


@pytest.mark.parametrize(
    ('schedule', 'values'),
    [
        ('linear', [30, 22.75, 15.5, 1]),
        ('cosine', [30, 30 - 29 * (1 - 2**-0.5) / 2, 15.5, 1]),
        ('exponential', [30, 30**0.75, 30**0.5, 1]),
        ('constant', [30, 30, 30, 30]),
    ],
)
def test_schedules(schedule, values):
    for progress, value in zip([0, 0.25, 0.5, 1], values, strict=True):
        assert temperature_at(progress, 30, 1, schedule) == pytest.approx(value)
    assert temperature_at(-1, 30, 1, schedule) == temperature_at(0, 30, 1, schedule)
    assert temperature_at(7, 30, 1, schedule) == temperature_at(1, 30, 1, schedule)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="schedule must be one of .* got 'step'"):
        temperature_at(0, schedule='step')
    with pytest.raises(ValueError, match='temperatures must be positive'):
        temperature_at(0, end=-1)
    with pytest.raises(ValueError, match='temperatures must be positive'):
        temperature_at(0, end=0, schedule='exponential')


class Network(BaseModel):
    """One layer, which remembers the temperature of every training iteration."""

    def __init__(self, dynamic=True):
        super().__init__()
        self.layer = DyConv2d(3, 2, 1) if dynamic else nn.Conv2d(3, 2, 1)
        self.seen = []

    def forward(self, inputs, mode='tensor'):
        if mode == 'loss':
            self.seen.append(self.layer.attention.temperature.item())
        return dict(loss=self.layer(inputs).square().mean())


def run(work_dir, epochs, network=None, resume=False, custom_hooks=(), **hook):
    network = network or Network()
    runner = Runner(
        model=network,
        work_dir=str(work_dir),
        train_dataloader=DataLoader([dict(inputs=x) for x in torch.randn(8, 3, 4, 4)], batch_size=2),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            temperature=dict(type='TemperatureHook', **hook), checkpoint=dict(type='CheckpointHook', interval=1)
        ),
        custom_hooks=list(custom_hooks),
        default_scope='mmpose',
        resume=resume,
        experiment_name=f'{work_dir.name}-{resume}',
        log_level='ERROR',
    )
    runner.train()
    return runner, network


def test_anneals_every_iteration_and_then_stays(tmp_path):
    runner, network = run(tmp_path, epochs=3, start=30, end=10, duration=2)
    assert network.seen == pytest.approx([30, 27.5, 25, 22.5, 20, 17.5, 15, 12.5, 10, 10, 10, 10])
    assert runner.message_hub.get_scalar('train/temperature').current() == 10


def test_resuming_equals_not_stopping(tmp_path):
    _, whole = run(tmp_path / 'whole', epochs=3, duration=3)
    run(tmp_path / 'parts', epochs=2, duration=3)
    _, rest = run(tmp_path / 'parts', epochs=3, duration=3, resume=True)
    assert rest.seen == pytest.approx(whole.seen[8:])


def test_checkpoint_carries_the_last_temperature(tmp_path):
    _, network = run(tmp_path, epochs=1, duration=2)
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['state_dict']
    assert state['layer.attention.temperature'].item() == network.seen[-1]


def test_by_iteration(tmp_path):
    _, network = run(tmp_path, epochs=1, duration=2, by_epoch=False, start=3, end=1)
    assert network.seen == pytest.approx([3, 2, 1, 1])


def test_an_averaged_model_has_the_temperature_and_not_its_average(tmp_path):
    ema = dict(type='EMAHook', momentum=0.01, update_buffers=True)
    runner, network = run(tmp_path, epochs=1, duration=1, start=30, end=2, custom_hooks=[ema])
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    averaged = hook.ema_model.module.layer.attention.temperature.item()
    assert averaged == pytest.approx(network.seen[-1]) == pytest.approx(9)


@pytest.mark.parametrize('temperature', [0, -1, float('nan')])
def test_temperature_out_of_range_is_refused(temperature):
    with pytest.raises(ValueError, match='temperature must be positive'):
        set_temperature(Network(), temperature)
    with pytest.raises(ValueError, match='temperature must be positive'):
        KernelAttention(4, temperature=temperature)


def test_static_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match='needs a dynamic network'):
        run(tmp_path, epochs=1, network=Network(dynamic=False))
