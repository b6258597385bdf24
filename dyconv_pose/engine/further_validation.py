"""Evaluates on a second data set whenever the run validates or tests."""

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch.utils.data import DataLoader


@HOOKS.register_module()
class FurtherValidationHook(Hook):
    """Adds the metrics of another data set to those of every validation and test.

    MMEngine evaluates one data set with one evaluator. This hook evaluates one more at the same points of a run and
    puts its metrics beside the others, before they are logged. Give each metric a ``prefix`` of its own, or names
    that both data sets have are refused.

    Args:
        dataloader: Config of a data loader, as ``val_dataloader``.
        evaluator: Config of a metric or a list of them, as ``val_evaluator``.
    """

    # MMEngine's own hooks put the metrics into the log from VERY_HIGH on.
    priority = 'HIGHEST'

    def __init__(self, dataloader: dict, evaluator: dict | list[dict]) -> None:
        self._dataloader_cfg, self._evaluator_cfg = dataloader, evaluator
        self._dataloader: DataLoader | None = None
        self._evaluator: Evaluator | None = None

    def before_run(self, runner: Runner) -> None:
        """Builds the data loader and the evaluator, so that what is wrong with them is said before training."""
        if self._dataloader is None:
            self._dataloader = runner.build_dataloader(self._dataloader_cfg, seed=runner.seed)
            self._evaluator = runner.build_evaluator(self._evaluator_cfg)
            self._evaluator.dataset_meta = self._dataloader.dataset.metainfo

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Evaluates after a validation."""
        self._evaluate(runner, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Evaluates after a test."""
        self._evaluate(runner, metrics)

    @torch.no_grad()
    def _evaluate(self, runner: Runner, metrics: dict[str, float] | None) -> None:
        runner.model.eval()
        for batch in self._dataloader:
            self._evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
        found = self._evaluator.evaluate(len(self._dataloader.dataset))
        if metrics is None:
            return
        if shared := sorted(found.keys() & metrics.keys()):
            raise ValueError(
                f'The metrics of two data sets must have different names, and both have {shared}: give the metrics of '
                'FurtherValidationHook a prefix.'
            )
        metrics.update(found)
