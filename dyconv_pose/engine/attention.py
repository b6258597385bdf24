"""The attention while a network trains: its temperature tau, annealed so that all kernels learn, and a log of it.

The paper anneals tau linearly from 30 to 1 in the first epochs: else the attention is one-hot too early (section 3.3).
"""

import math
from functools import partial

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn

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
    or ``'exponential'`` (equal ratios in equal times); a ValueError is raised for another, or negative temperatures.
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


def normalised_entropy(pi: Tensor) -> Tensor:
    """Entropy of attention weights (..., K) as a share of log K, (...); 1 for K = 1, where there is no choice.

    Weights that do not sum to one, as sigmoids, are taken as shares of their sum.
    """
    kernels = pi.shape[-1]
    sums = pi.sum(dim=-1, keepdim=True)
    pi = torch.where((sums - 1).abs() < 1e-4, pi, pi / sums)
    if kernels == 1:
        return torch.ones(pi.shape[:-1], device=pi.device)
    return torch.special.entr(pi).sum(dim=-1) / math.log(kernels)


@HOOKS.register_module()
class AttentionLogHook(Hook):
    """Logs every layer's attention on the training batches, to whatever visualisation backends the run has.

    Scalars, for each dynamic layer: ``attention/entropy/<layer>``, the mean entropy of an image's attention as a share
    of log K, and ``attention/image_dependence/<layer>``, by how much the entropy of the batch's mean attention is
    larger (0 where all images have the same). Their means over the layers stand in the training log.

    Attach it by ``default_hooks = dict(attention=dict(type='AttentionLogHook', interval=50))``, in iterations.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, got {interval}.')
        self.interval, self._handles, self._found = interval, [], {}

    def before_train(self, runner: Runner) -> None:
        """Raises a ValueError where there is nothing to log."""
        if all(layer.kernel_attention is None for _, layer in dynamic_layers(runner.model)):
            raise ValueError(
                'AttentionLogHook needs attention over kernels and this network has no dynamic layer with it: '
                "remove the hook, or set conv_cfg=dict(type='DyConv2d') in the backbone or head."
            )

    def before_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        """Looks into every dynamic layer, where this iteration is logged."""
        for name, layer in dynamic_layers(runner.model) if (runner.iter + 1) % self.interval == 0 else ():
            if layer.kernel_attention is not None:
                keep = partial(self._keep, name.removeprefix('module.'))  # within DDP
                self._handles.append(layer.kernel_attention.register_forward_hook(keep))

    def after_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        """Logs, and leaves the layers as they were."""
        if not self._handles:
            return
        scalars, totals = {}, {'entropy': [], 'image_dependence': []}
        for name, pi in self._found.items():
            each = float(normalised_entropy(pi).mean())
            values = {'entropy': each, 'image_dependence': float(normalised_entropy(pi.mean(dim=0))) - each}
            for figure, value in values.items():
                scalars[f'attention/{figure}/{name}'] = value
                totals[figure].append(value)
        for figure, values in totals.items():
            runner.message_hub.update_scalar(f'train/attention_{figure}', sum(values) / len(values))
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        for handle in self._handles:
            handle.remove()
        self._handles, self._found = [], {}

    def _keep(self, name: str, _module: nn.Module, _inputs: tuple, pi: Tensor) -> None:
        self._found[name] = pi.detach().float()
