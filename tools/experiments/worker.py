"""One run of an experiment: begun, or continued from its last checkpoint, scored, recorded."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.config import Config
from results_evaluation import ResultsEvaluation
from worst_cases import persons_of

from dyconv_pose.apis import test, train
from dyconv_pose.apis.checkpoint import find_resume_point

from .description import Experiment, Run, recipe_of
from .records import OKS, append_record, find_record, make_record, reused_record

#: In a run's folder: the recipe that it was begun with, its lock, and the process that holds the lock.
_RECIPE_FILE, _LOCK_FILE, _HOLDER_FILE = 'recipe.json', 'lock', 'holder'


class InProgressError(Exception):
    """Another process has the run."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run's folder while the block runs; the lock ends with the process, however that ends.

    Raises:
        InProgressError: Another process holds it; the message says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / _LOCK_FILE), folder / _HOLDER_FILE
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        name = holder.read_text() if holder.is_file() else ''
        raise InProgressError(f'is in progress elsewhere ({name or "unknown process"})') from error
    try:
        holder.write_text(f'process {os.getpid()} on {platform.node()}')
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether another process holds the folder."""
    if not (folder / _LOCK_FILE).is_file():
        return False
    try:
        with FileLock(folder / _LOCK_FILE, timeout=0):
            return False
    except Timeout:
        return True


def execute(experiment: Experiment, run: Run, work_dir: str | Path, results: str | Path) -> bool:
    """Trains, scores and records a run, in this process; does nothing if it is recorded already.

    The last checkpoint is scored, never the best one, which would be chosen on the images it is scored on. A run that
    an experiment which this one reuses has finished is recorded without training.

    Args:
        experiment: The experiment.
        run: One of its runs.
        work_dir: The experiment's work directory; the run has a folder of its own in it.
        results: The results file.

    Returns:
        Whether there was anything to do.

    Raises:
        InProgressError: Another process is at it.
        FileNotFoundError: A file is missing.
        ValueError: Something of the config or the data cannot be used, the run was begun with another recipe, or the
            experiment names a metric that its scores do not have.
        FloatingPointError: The loss became NaN or infinite.
    """
    folder = Path(work_dir) / run.name
    config = run.config()
    recipe = recipe_of(config)
    with locked(folder):
        if find_record(results, experiment.name, run, recipe):
            return False
        if reused := reused_record(results, experiment, run, recipe):
            append_record(results, reused)
            return True
        _keep_recipe(folder, run, recipe)
        config.work_dir = str(folder)
        loop = config.train_cfg
        final = folder / (f'iter_{loop.max_iters}.pth' if 'max_iters' in loop else f'epoch_{loop.max_epochs}.pth')
        checkpoint = latest_checkpoint(folder)
        if checkpoint != final:
            train(config, resume=str(checkpoint) if checkpoint else False)
        scoring = run.config()
        scoring.work_dir = str(folder / 'score')
        persons = None
        if OKS in experiment.metrics:
            metrics, persons = test_persons(scoring, final)
        else:
            metrics = test(scoring, final)
        _check_names(experiment, metrics)
        append_record(results, make_record(experiment, run, recipe, folder, metrics, persons))
    return True


def test_persons(config: Config, checkpoint: Path) -> tuple[dict[str, float], dict[int, float]]:
    """Scores a checkpoint, by each annotated person too.

    Returns:
        The metrics, with the mean OKS among them, and the OKS by the number of the annotation.

    Raises:
        ValueError: As by :func:`dyconv_pose.apis.test`, or COCO's metric is not among the evaluators.
    """
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    coco = next((one for one in evaluators if one.type == 'CocoMetric'), None)
    if coco is None:
        raise ValueError(f'The metric {OKS} needs a CocoMetric in test_evaluator, and the config has none: add one.')
    coco.outfile_prefix = str(Path(config.work_dir) / 'results')
    metrics = test(config, checkpoint)
    evaluation = ResultsEvaluation(coco.ann_file, f'{coco.outfile_prefix}.keypoints.json')
    persons = {person.annotation['id']: person.similarity for person in persons_of(evaluation)}
    return metrics | {OKS: sum(persons.values()) / len(persons)}, persons


def latest_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint in a run's folder; ``None`` where there is none to go on from."""
    try:
        return find_resume_point(folder).path
    except (FileNotFoundError, ValueError):  # ValueError: it was killed while it wrote its first one
        return None


def _check_names(experiment: Experiment, metrics: Mapping[str, float]) -> None:
    missing = [name for name in experiment.metrics if name not in metrics]
    if missing:
        raise ValueError(
            f'An experiment must name metrics that its configs compute: {", ".join(missing)} of {experiment.name} is '
            f"not among {', '.join(metrics)}. Mend the experiment's file: the run is then scored, not trained again."
        )


def _keep_recipe(folder: Path, run: Run, recipe: str) -> None:
    """Notes the recipe of a new run; refuses to continue one of another.

    Raises:
        ValueError: The folder holds the beginning of a run with another recipe.
    """
    file = folder / _RECIPE_FILE
    begun = json.loads(file.read_text())['recipe'] if file.is_file() else None
    if begun is not None and begun != recipe and latest_checkpoint(folder):
        raise ValueError(
            f'A run must be continued with the recipe it was begun with: "{folder}" has recipe {begun} and the config '
            f'of {run.name} now {recipe}: give another --work-dir, delete that folder, or undo the change.'
        )
    file.write_text(json.dumps(dict(recipe=recipe, config=run.config_file)))
