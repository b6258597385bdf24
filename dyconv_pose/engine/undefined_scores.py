"""Says what a score of -1 means, where it is printed."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class UndefinedScoreHook(Hook):
    """Logs a line when COCO's evaluation gives -1, which is not a score but stands for "undefined"."""

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Looks at the validation's metrics."""
        self._explain(runner, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Looks at the test's metrics."""
        self._explain(runner, metrics)

    def _explain(self, runner: Runner, metrics: dict[str, float] | None) -> None:
        line = explain_undefined(metrics or {})
        if line:
            runner.logger.info(line)


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
