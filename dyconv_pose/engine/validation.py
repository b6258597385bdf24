"""What is done with a validation or test: a second dataset's metrics, undefined scores explained, predictions drawn."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.registry import HOOKS, VISUALIZERS
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer as MMPoseVisualizer


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
