"""Stops a training whose loss is NaN or infinite, before the weights change, and writes down why.

MMEngine calls no hook between the forward pass and the optimiser's step; a forward hook of PyTorch on the estimator
sees the losses and the batch there, before loss scaling. It costs one read from the device in each iteration.
"""

import json
import math
from pathlib import Path

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn

from dyconv_pose.layers import dynamic_layers

REPORT_NAME = 'non_finite_loss.json'


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops the run at the first loss that is NaN or infinite, and writes ``non_finite_loss.json``.

    The weights are then those that the last good iteration left, bit for bit. An infinite gradient of a finite loss is
    not looked for: the next loss shows it, and the report then says that the weights were not finite.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Begins to watch the estimator."""

        def check(model: nn.Module, args: tuple, kwargs: dict, losses: object) -> None:
            if kwargs.get('mode') == 'loss' and isinstance(losses, dict) and not all_finite(losses):
                _stop(runner, model, dict(zip(('inputs', 'data_samples'), args, strict=False)) | kwargs, losses)

        model = getattr(runner.model, 'module', runner.model)  # DDP has the estimator as its module
        self.handle = model.register_forward_hook(check, with_kwargs=True)

    def after_train(self, runner: Runner) -> None:
        """Ends the watch."""
        self.handle.remove()


def all_finite(losses: dict[str, Tensor | list[Tensor]]) -> bool:
    """Whether every loss, and what is optimised, their sum, are finite; one read from the device."""
    means = list(_means(losses).values())
    return not means or bool(torch.stack(means).sum().isfinite())


def _means(losses: dict[str, Tensor | list[Tensor]]) -> dict[str, Tensor]:
    """The losses, which MMEngine tells from other values by their names, as numbers."""
    parts = {name: part if isinstance(part, list) else [part] for name, part in losses.items() if 'loss' in name}
    return {name: torch.stack([v.detach().float().mean() for v in part]).sum() for name, part in parts.items()}


def _stop(runner: Runner, model: nn.Module, batch: dict, losses: dict) -> None:
    """Writes the report and raises a FloatingPointError that says what became of the loss and what to do."""
    values = {name: float(value) for name, value in _means(losses).items()}
    rates = runner.optim_wrapper.get_lr()
    temperatures = [layer.temperature for _, layer in dynamic_layers(model) if layer.temperature is not None]
    report = {
        'iteration': runner.iter + 1,
        'epoch': runner.epoch + 1,
        'learning_rates': sorted({rate for name in rates if name.endswith('lr') for rate in rates[name]}),
        'temperatures': sorted({float(tau) for tau in temperatures}),
        'non_finite_weights': [name for name, weight in model.named_parameters() if not weight.isfinite().all()],
        'batch': _samples(batch),
        'losses': {name: value if math.isfinite(value) else str(value) for name, value in values.items()},
    }
    path = Path(runner.work_dir) / REPORT_NAME
    path = path if get_world_size() == 1 else path.with_stem(f'{path.stem}_rank{get_rank()}')
    path.write_text(json.dumps(report, indent=1, default=lambda value: value.item()) + '\n', encoding='utf-8')
    bad = [sample for sample in report['batch'] if not (sample['inputs_finite'] and sample['targets_finite'])]
    remedy = 'lower the learning rate, or lengthen its warm-up'
    if report['non_finite_weights']:
        remedy = f'{len(report["non_finite_weights"])} weights were not finite already, so resume from a checkpoint'
    elif bad:
        remedy = f'look at the image and the annotations of "{bad[0]["image_path"]}", whose numbers are not finite'
    became = [f'{name} became {value}' for name, value in values.items() if not math.isfinite(value)]
    raise FloatingPointError(
        f'{became[0] if became else "The sum of the losses became infinite"} in iteration {report["iteration"]} of '
        f'epoch {report["epoch"]} (learning rate {", ".join(f"{rate:g}" for rate in report["learning_rates"])}) and '
        f'the run was stopped before the weights changed: {remedy}; the batch and more are in "{path}".'
    )


def _samples(batch: dict) -> list[dict]:
    """The samples of a batch, by ids and paths, and which of them hold NaN or infinite numbers."""
    inputs, described = batch.get('inputs'), []
    for index, sample in enumerate(batch.get('data_samples') or []):
        parts = [sample.get(part) or {} for part in ('gt_fields', 'gt_instance_labels')]
        targets = [value for part in parts for value in part.values() if isinstance(value, Tensor)]
        described.append({
            'image_id': sample.get('img_id'),
            'image_path': sample.get('img_path'),
            'annotation_id': sample.get('id'),
            'inputs_finite': not isinstance(inputs, Tensor) or bool(inputs[index].isfinite().all()),
            'targets_finite': all(bool(value.isfinite().all()) for value in targets),
        })  # fmt: skip
    return described
