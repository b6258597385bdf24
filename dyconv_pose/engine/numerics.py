"""Stops a training whose loss is no number any more, before the weights are touched, and writes down why.

Where the check is made: between the forward pass and ``optim_wrapper.update_params``, MMEngine calls no hook of its
own (``after_train_iter`` comes when the optimiser has stepped). A subclass of OptimWrapper would have to exist for
every wrapper, and does not see the batch; a subclass of the estimator would tie the check to one network. PyTorch's
forward hook on the estimator sees what is needed in one place, with any network, optimiser and wrapper: the losses
by name as the result, and the batch's samples as an argument. It also comes before loss scaling, so a finite loss
whose scaled gradient overflows in float16, which the scaler deals with by itself, does not stop anything.

What it costs: one reduction of a few scalars and one read of the result per iteration. On a GPU that read waits for
the forward pass; MMEngine waits for the same losses anyway when it records them at the end of the iteration
(``MessageHub.update_scalar`` calls ``item()``), but the backward pass is queued a little later than without.
"""

import json
import math
from pathlib import Path

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .temperature import temperatures

REPORT_NAME = 'non_finite_loss.json'

#: What is written down of every sample, as MMPose's PackPoseInputs names it.
_SAMPLE_KEYS = {'image_id': 'img_id', 'image_path': 'img_path', 'annotation_id': 'id'}


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops the run at the first loss that is NaN or infinite, and writes ``non_finite_loss.json``.

    The weights are then those that the last good iteration left, bit for bit, and so are the checkpoints. (The
    running statistics of normalisation layers, in memory, have seen the batch.) The report holds the iteration, the
    epoch, the learning rate, the temperature, the losses, the batch's image ids, paths and annotation ids, and
    whether the batch or the weights held such numbers before. A gradient that is infinite though the loss is finite
    is not looked for: the next iteration's loss shows it, and the report then says that the weights were not finite.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._handle: RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Begins to watch the estimator, inside any wrapper for distributed training."""
        self._stop_watching()
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model

        def check(_: nn.Module, args: tuple, kwargs: dict, losses: object) -> None:
            if kwargs.get('mode') == 'loss' and isinstance(losses, dict) and not all_finite(losses):
                named = dict(zip(('inputs', 'data_samples'), args, strict=False))
                self._stop(runner, model, named | kwargs, losses)

        self._handle = model.register_forward_hook(check, with_kwargs=True)

    def after_train(self, runner: Runner) -> None:
        """Ends the watch."""
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _stop(self, runner: Runner, model: nn.Module, batch: dict, losses: dict) -> None:
        report = describe_run(runner, model) | describe_batch(batch)
        report['losses'] = {name: _mean(value) for name, value in losses.items() if 'loss' in name}
        name = REPORT_NAME if get_world_size() == 1 else REPORT_NAME.replace('.json', f'_rank{get_rank()}.json')
        path = Path(runner.work_dir) / name
        path.write_text(json.dumps(_jsonable(report), indent=1) + '\n', encoding='utf-8')
        bad = [f'{name} became {value}' for name, value in report['losses'].items() if not math.isfinite(value)]
        rates = ', '.join(f'{rate:g}' for rate in report['learning_rates'])
        raise FloatingPointError(
            f'{bad[0] if bad else "The sum of the losses became infinite"} in iteration {report["iteration"]} of '
            f'epoch {report["epoch"]} (learning rate {rates}) and the run was stopped before the weights changed: '
            f'{_remedy(report)}; the batch and more are in "{path}".'
        )


def all_finite(losses: dict[str, Tensor | list[Tensor]]) -> bool:
    """Whether the mean of every loss, and what is optimised, their sum, are finite; one read from the device."""
    parts = [part for name, part in losses.items() if 'loss' in name]  # as MMEngine tells losses from other values
    means = [value.detach().float().mean() for part in parts for value in _tensors(part)]
    return not means or bool(torch.stack(means).sum().isfinite())


def describe_run(runner: Runner, model: nn.Module) -> dict:
    """Where the run is: iteration and epoch (from 1), learning rates, temperatures, and whether weights are finite."""
    rates = runner.optim_wrapper.get_lr()
    return {
        'iteration': runner.iter + 1,
        'epoch': runner.epoch + 1,
        'learning_rates': sorted({rate for name in rates if name.endswith('lr') for rate in rates[name]}),
        'temperatures': sorted({float(tau) for tau in temperatures(model)}),
        'non_finite_weights': [name for name, weight in model.named_parameters() if not weight.isfinite().all()],
    }


def describe_batch(batch: dict) -> dict:
    """The samples of a batch, by ids and paths, and which of them hold numbers that are not finite."""
    inputs, samples = batch.get('inputs'), batch.get('data_samples') or []
    finite = inputs.isfinite().flatten(1).all(dim=1).tolist() if isinstance(inputs, Tensor) else [True] * len(samples)
    described = []
    for sample, inputs_finite in zip(samples, finite, strict=False):
        entry = {name: sample.get(key) for name, key in _SAMPLE_KEYS.items()}
        targets = [value for part in ('gt_fields', 'gt_instance_labels') for value in _values(sample.get(part))]
        targets_finite = all(value.isfinite().all() for value in targets if isinstance(value, Tensor))
        described.append(entry | {'inputs_finite': inputs_finite, 'targets_finite': bool(targets_finite)})
    return {'batch': described}


def _remedy(report: dict) -> str:
    if report['non_finite_weights']:
        return f'{len(report["non_finite_weights"])} weights were not finite already, so resume from a checkpoint'
    bad = [sample for sample in report['batch'] if not (sample['inputs_finite'] and sample['targets_finite'])]
    if bad:
        return f'look at the picture and the annotations of "{bad[0]["image_path"]}", whose numbers are not finite'
    return 'lower the learning rate, or lengthen its warm-up'


def _tensors(part: Tensor | list[Tensor]) -> list[Tensor]:
    return [part] if isinstance(part, Tensor) else list(part)


def _mean(part: Tensor | list[Tensor]) -> float:
    return sum(float(value.detach().float().mean()) for value in _tensors(part))


def _values(part: object) -> list:
    return [] if part is None else list(part.values())


def _jsonable(value: object) -> object:
    """The value in JSON's types; numbers that JSON has not become text."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if hasattr(value, 'item'):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
