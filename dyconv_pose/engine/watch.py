"""Hooks that watch a run: a loss that is NaN, a second dataset's metrics, undefined scores, predictions drawn."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.registry import HOOKS, VISUALIZERS
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer as MMPoseVisualizer
from torch import Tensor, nn

from dyconv_pose.layers import dynamic_layers

REPORT_NAME = 'non_finite_loss.json'


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops the run at the first loss that is NaN or infinite, and writes ``non_finite_loss.json``.

    The weights are then those that the last good iteration left, bit for bit. An infinite gradient of a finite loss is
    not looked for: the next loss shows it, and the report then says that the weights were not finite. MMEngine calls no
    hook before the optimiser's step; one of PyTorch's on the estimator costs a read from the device in each iteration.
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


@HOOKS.register_module()
class FurtherValidationHook(Hook):
    """Adds the metrics of another dataset to those of every validation and test, before they are logged.

    It is described by a data loader and metrics as in ``val_dataloader`` and ``val_evaluator``. Give each metric a
    ``prefix`` of its own: names that both datasets have are refused.
    """

    # MMEngine's own hooks put the metrics into the log from VERY_HIGH on.
    priority = 'HIGHEST'

    def __init__(self, dataloader: dict, evaluator: dict | list[dict]) -> None:
        self.dataloader, self.evaluator = dataloader, evaluator

    def before_run(self, runner: Runner) -> None:
        """Builds the data loader and the evaluator, so that what is wrong with them is said before training."""
        if isinstance(self.dataloader, dict):
            self.dataloader = runner.build_dataloader(self.dataloader, seed=runner.seed)
            self.evaluator = runner.build_evaluator(self.evaluator)
            self.evaluator.dataset_meta = self.dataloader.dataset.metainfo

    @torch.no_grad()
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Evaluates; raises a ValueError where metrics of the two datasets have the same name."""
        runner.model.eval()
        for batch in self.dataloader:
            self.evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
        found = self.evaluator.evaluate(len(self.dataloader.dataset))
        if shared := sorted(found.keys() & metrics.keys()):
            raise ValueError(
                f'The metrics of two datasets must have different names, and both have {shared}: give the metrics of '
                'FurtherValidationHook a prefix.'
            )
        metrics.update(found)

    after_test_epoch = after_val_epoch


@HOOKS.register_module()
class UndefinedScoreHook(Hook):
    """Logs a line when COCO's evaluation gives -1, which is not a score but stands for "undefined"."""

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Logs."""
        if line := explain_undefined(metrics):
            runner.logger.info(line)

    after_test_epoch = after_val_epoch


def explain_undefined(metrics: dict[str, float]) -> str:
    """What the scores of -1 among the metrics mean; empty where there are none."""
    names = [name.rpartition('/')[2] for name, value in metrics.items() if value == -1]
    why = 'the annotations have no such person: (M) is an area of 32^2 to 96^2 pixels, (L) one of 96^2 or more'
    if 'AP' in names:
        why = 'the annotations have no person with a labelled keypoint (crowds do not count)'
    return f'{", ".join(names)} of -1 means "undefined", not a bad score: {why}.' if names else ''


@VISUALIZERS.register_module(force=True)
class PoseLocalVisualizer(MMPoseVisualizer):
    """MMPose's visualizer, in whose place it is registered: NumPy 2.4 refuses the radius that it hands to OpenCV."""

    def draw_circles(self, center: np.ndarray, radius: np.ndarray, *args: object, **kwargs: object) -> None:
        """Draws points; ``radius`` is an array of one number."""
        super().draw_circles(center, radius if self.backend == 'matplotlib' else radius[0], *args, **kwargs)


@HOOKS.register_module()
class DrawPredictionsHook(PoseVisualizationHook):
    """Draws every n-th prediction (``interval``) of tests and validations, with the arguments of MMPose's hook.

    That one writes files into ``out_dir`` for tests alone, and stops all logging where it is to ``show`` them. Files
    are named after the image; the next evaluation replaces them.
    """

    def __init__(self, show: bool = False, **options: object) -> None:
        super().__init__(**options)
        self.show = show

    def before_val_epoch(self, runner: Runner, mode: str = 'val') -> None:
        """Begins to count, and takes the skeleton and colours of the dataset."""
        self._drawn, self._seen = Counter(), 0
        if self.enable:
            runner.visualizer.set_dataset_meta(getattr(runner, f'{mode}_evaluator').dataset_meta)

    def before_test_epoch(self, runner: Runner) -> None:
        """Begins to count, and takes the skeleton and colours of the dataset."""
        self.before_val_epoch(runner, 'test')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: Sequence[PoseDataSample] = ()
    ) -> None:
        """Draws samples of a batch."""
        for sample in outputs if self.enable else ():
            self._seen += 1
            if (self._seen - 1) % self.interval == 0:
                path = Path(sample.img_path)
                name = f'{path.stem}_{self._drawn[path.stem]}.jpg'
                self._drawn[path.stem] += 1
                out_file = None if self.out_dir is None else str(Path(self.out_dir) / name)
                image, merged = cv2.imread(str(path))[..., ::-1], merge_data_samples([sample])
                options = dict(show=self.show, wait_time=self.wait_time, kpt_thr=self.kpt_thr, out_file=out_file)
                options |= dict(draw_gt=False, draw_bbox=True, draw_heatmap=True, step=self._seen)
                runner.visualizer.add_datasample(name, image, merged, **options)

    after_test_iter = after_val_iter
