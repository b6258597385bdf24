"""The results of an experiment: one line of JSON for every finished run."""

import json
import os
import subprocess
from pathlib import Path

from analysis_tools.environment import machine, versions
from analysis_tools.scalars import read_scalars

from .description import Experiment, Run

#: The metric that is the mean of the persons' object keypoint similarities, which a record then has one by one.
OKS = 'OKS'


def read_records(path: str | Path) -> list[dict]:
    """All records of a results file, in the order in which the runs finished; none where there is no file.

    Raises:
        ValueError: A line is no JSON.
    """
    path = Path(path)
    if not path.is_file():
        return []
    records = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                f'Every line of a results file must be JSON, and line {number} of "{path}" is not: delete that line, '
                'and its run is scored again from its last checkpoint.'
            ) from error
    return records


def find_record(path: str | Path, experiment: str, run: Run, recipe: str) -> dict | None:
    """The record of a run, or ``None`` where it has not finished.

    Raises:
        ValueError: It finished with another recipe.
    """
    for record in read_records(path):
        if (record['experiment'], record['network'], record['seed']) == (experiment, run.network, run.seed):
            if record['recipe'] != recipe:
                raise ValueError(
                    f'A results file must hold runs of one recipe: "{path}" has {run.name} with recipe '
                    f'{record["recipe"]}, and its config now has {recipe}: give other --results and --work-dir, or '
                    'undo the change.'
                )
            return record
    return None


def reused_record(path: str | Path, experiment: Experiment, run: Run, recipe: str) -> dict | None:
    """A run's record where an experiment that this one reuses has the same run, or ``None``.

    Args:
        path: This experiment's results file; those of others are looked for in its folder.
        experiment: The experiment.
        run: One of its runs.
        recipe: The run's recipe.

    Returns:
        The other's record under this experiment's names, and the other's name as ``reused_from``.
    """
    for other in experiment.reuses:
        for record in read_records(Path(path).with_name(f'{other}.jsonl')):
            if (record['recipe'], record['seed']) == (recipe, run.seed):
                return record | dict(experiment=experiment.name, network=run.network, reused_from=other)
    return None


def append_record(path: str | Path, record: dict) -> None:
    """Adds a line in one write, so that it is whole even if several processes write at once."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('ab', buffering=0) as file:
        file.write(json.dumps(record).encode() + b'\n')
        os.fsync(file.fileno())


def make_record(
    experiment: Experiment,
    run: Run,
    recipe: str,
    work_dir: Path,
    metrics: dict[str, float],
    persons: dict[int, float] | None = None,
) -> dict:
    """Collects what a finished run was and what it scored.

    Args:
        experiment: The experiment.
        run: The run.
        recipe: The digest of its config (:func:`~experiments.description.recipe_of`).
        work_dir: Its work directory, with the logs.
        metrics: The scores of its last checkpoint.
        persons: The OKS of each annotated person by number, where it is recorded.

    Returns:
        A dictionary for JSON.
    """
    return {
        'experiment': experiment.name,
        'network': run.network,
        'seed': run.seed,
        'config': Path(run.config_file).name,
        'recipe': recipe,
        'metrics': {name: float(value) for name, value in metrics.items()},
        **({} if persons is None else {'persons': {str(key): round(value, 4) for key, value in persons.items()}}),
        **read_history(work_dir),
        'revision': _revision(),
        'versions': versions(),
        'machine': machine(),
    }


def read_history(work_dir: str | Path) -> dict:
    """The course of a run, from its logs, over all interruptions.

    A run that was interrupted repeats the iterations after its last checkpoint; the later ones count.

    Returns:
        ``epochs`` and ``iterations`` trained; ``training_seconds`` without evaluation, start and what an interruption
        undid; ``final_loss``, the mean training loss of the last epoch; ``losses``, of every epoch its number, from
        one on, and mean training loss; ``validations``, of each its ``epoch`` and metrics. Of a run that counts no
        epochs, ``epochs`` is 0, and its log lines and iterations stand in their place.

    Raises:
        FileNotFoundError: There are no logs.
        ValueError: They hold no training.
    """
    steps, validations = {}, {}
    for entry in read_scalars(work_dir):
        if 'loss' in entry and 'iter' in entry:
            # what an interruption undid is dropped, also where the new log has other steps
            steps = {number: step for number, step in steps.items() if number < entry['iter']} | {entry['iter']: entry}
        elif metrics := {name: value for name, value in entry.items() if '/' in name and name[:10] != 'attention/'}:
            validations[entry['step']] = metrics
    if not steps:
        raise ValueError(f'The logs in "{work_dir}" must hold training losses, and hold none.')
    seconds, before, by_epoch = 0.0, 0, {}
    for number, entry in steps.items():
        seconds += entry['time'] * (number - before)
        before = number
        by_epoch.setdefault(int(entry.get('epoch', number)), []).append(entry['loss'])
    losses = [[epoch, float(f'{sum(values) / len(values):.5g}')] for epoch, values in sorted(by_epoch.items())]
    return {
        'epochs': int(entry.get('epoch', 0)),
        'iterations': before,
        'training_seconds': round(seconds),
        'final_loss': losses[-1][1],
        'losses': losses,
        'validations': [
            {'epoch': epoch, **{name: round(value, 5) for name, value in metrics.items()}}
            for epoch, metrics in sorted(validations.items())
        ],
    }


def _revision() -> str | None:
    """The revision of the code, with ``+`` where files that git knows differ from it; ``None`` outside git."""
    folder = Path(__file__).parent
    asks = (['git', 'rev-parse', '--short=12', 'HEAD'], ['git', 'status', '--porcelain', '--untracked-files=no'])
    try:
        head, changes = (subprocess.run(ask, cwd=folder, capture_output=True, text=True, check=True) for ask in asks)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ('+' if changes.stdout.strip() else '')
