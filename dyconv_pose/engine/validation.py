"""What is done with the metrics of a validation or test: a second dataset's are added, undefined ones explained."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


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
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Evaluates; raises a ValueError where metrics of the two datasets have the same name."""
        runner.model.eval()
        for batch in self.dataloader:
            self.evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
        found = self.evaluator.evaluate(len(self.dataloader.dataset))
        if metrics is None:
            return
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

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Logs."""
        if line := explain_undefined(metrics or {}):
            runner.logger.info(line)

    after_test_epoch = after_val_epoch


def explain_undefined(metrics: dict[str, float]) -> str:
    """What the scores of -1 among the metrics mean; empty where there are none."""
    names = [name.rpartition('/')[2] for name, value in metrics.items() if value == -1]
    if not names:
        return ''
    if 'AP' in names:
        why = 'the annotations have no person with a labelled keypoint (crowds do not count)'
    else:
        why = 'the annotations have no such person: (M) is an area of 32^2 to 96^2 pixels, (L) one of 96^2 or more'
    return f'{", ".join(names)} of -1 means "undefined", not a bad score: {why}.'
