"""One run of an experiment: begun, or continued from its last checkpoint, scored, recorded."""

import json
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from dyconv_pose.apis import test, train
from dyconv_pose.apis.resume import find_resume_point

from .description import Experiment, Run, recipe_of
from .locking import locked
from .records import append_record, find_record, make_record, reused_record

#: In a run's folder: the recipe that it was begun with.
_RECIPE_FILE = 'recipe.json'


def execute(experiment: Experiment, run: Run, work_dir: str | Path, results: str | Path) -> bool:
    """Trains, scores and records a run, in this process; does nothing if it is recorded already.

    Of the checkpoints the last is scored, never the best one, which would be chosen on the pictures it is scored on. A
    run that an experiment which this one reuses has finished is recorded without training.

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
        final = folder / f'epoch_{config.train_cfg.max_epochs}.pth'
        checkpoint = latest_checkpoint(folder)
        if checkpoint != final:
            _train(config, checkpoint)
        scoring = run.config()
        scoring.work_dir = str(folder / 'score')
        metrics = test(scoring, final)
        _check_names(experiment, metrics)
        append_record(results, make_record(experiment, run, recipe, folder, metrics))
    return True


def latest_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint in a run's folder; ``None`` where there is none to go on from."""
    try:
        return find_resume_point(folder).path
    except (FileNotFoundError, ValueError):  # ValueError: it was killed while it wrote its first one
        return None


def _train(config: Config, checkpoint: Path | None) -> None:
    train(config, resume=str(checkpoint) if checkpoint else False)


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
