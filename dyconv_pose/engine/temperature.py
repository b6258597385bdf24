"""The softmax temperature tau over training, annealed from 30 to 1 so that all kernels learn (paper, section 3.3)."""

import math

from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn

from dyconv_pose.layers import dynamic_layers

#: Share of the way from start to end, in [0, 1], at a progress in [0, 1].
SCHEDULES = {
    'constant': lambda progress: 0.0,
    'linear': lambda progress: progress,
    'cosine': lambda progress: 0.5 - 0.5 * math.cos(math.pi * progress),
    'exponential': lambda progress: progress,  # of the logarithm of tau
}


def temperature_at(progress: float, start: float = 30.0, end: float = 1.0, schedule: str = 'linear') -> float:
    """Gives tau at a progress from 0, where it is ``start``, to 1, where it is ``end``; beyond, it stays.

    The schedule is ``'constant'`` (``start`` throughout), ``'linear'`` (the paper's), ``'cosine'`` (flat at both ends)
    or ``'exponential'`` (equal ratios in equal times).

    Raises:
        ValueError: The schedule is unknown or a temperature is negative.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f'schedule must be one of {sorted(SCHEDULES)}, got {schedule!r}.')
    if not (start >= 0 and end >= 0 and (schedule != 'exponential' or start * end > 0)):
        raise ValueError(f'temperatures must be positive, or 0 if not exponential, got start={start} and end={end}.')
    share = SCHEDULES[schedule](min(max(progress, 0.0), 1.0))
    if schedule == 'exponential':
        return start * (end / start) ** share
    return start + (end - start) * share


def set_temperature(network: nn.Module, temperature: float) -> int:
    """Sets tau, which every layer must take, wherever a network has one, and returns how many times."""
    layers = [layer for _, layer in dynamic_layers(network) if layer.temperature is not None]
    for layer in layers:
        layer.check_temperature(temperature)
        layer.temperature.fill_(temperature)
    return len(layers)


@HOOKS.register_module()
class TemperatureHook(Hook):
    """Sets and logs the temperature before every training iteration.

    tau follows from the iteration number alone, so a resumed run continues the schedule without any state. In an
    averaged model (MMEngine's ``EMAHook``) it is the same, not its average. Without this hook it stays as it is.

    Attach it by ``default_hooks = dict(temperature=dict(type='TemperatureHook'))``: a ``custom_hooks`` list would
    replace the list of the base config. The annealing lasts ``duration`` epochs, or iterations without ``by_epoch``.
    A ValueError is raised for a ``duration`` that is not positive, and as by :func:`temperature_at`.
    """

    priority = 'NORMAL'  # before the logger, which prints what is set here

    def __init__(
        self, start: float = 30, end: float = 1, duration: float = 10, by_epoch: bool = True, schedule: str = 'linear'
    ) -> None:
        if not duration > 0:
            raise ValueError(f'duration must be positive, got {duration}: the paper anneals over 10 epochs.')
        temperature_at(0.0, start, end, schedule)  # says at once what is wrong with the arguments
        self.curve, self.duration, self.by_epoch = (start, end, schedule), duration, by_epoch

    def before_train(self, runner: Runner) -> None:
        """Checks that there is something to anneal, to both ends; raises a ValueError where there is not."""
        set_temperature(runner.model, temperature_at(1.0, *self.curve))
        if set_temperature(runner.model, self._temperature(runner)) == 0:
            raise ValueError(
                'TemperatureHook needs a dynamic network and this one has no dynamic layer with a temperature: '
                "remove the hook, or set conv_cfg=dict(type='DyConv2d') in the backbone or head."
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Sets tau for this iteration."""
        temperature = self._temperature(runner)
        for network in (runner.model, *(hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))):
            set_temperature(network, temperature)
        runner.message_hub.update_scalar('train/temperature', temperature)

    def _temperature(self, runner: Runner) -> float:
        duration = self.duration * (len(runner.train_dataloader) if self.by_epoch else 1)
        return temperature_at(runner.iter / duration, *self.curve)
