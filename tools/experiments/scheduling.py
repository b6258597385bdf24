"""All runs of an experiment one after another, each in a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .description import Experiment, Run, recipe_of
from .records import find_record, reused_record
from .worker import is_locked, latest_checkpoint

#: With this status a worker says that another process has the run.
IN_PROGRESS_STATUS = 75


def run_all(
    experiment: Experiment,
    results: str | Path,
    command_for: Callable[[Run], list[str]],
    say: Callable[[str], None] = print,
) -> dict[str, list[str]]:
    """Executes all runs that are not recorded yet.

    Every run is a process: its random state, registries and memory are its own. A second call for the same experiment
    beside the first takes the runs that the first does not have.

    Args:
        experiment: The experiment.
        results: The results file.
        command_for: The command of a run's process, which exits with :data:`IN_PROGRESS_STATUS` where another process
            has the run.
        say: Told of every run.

    Returns:
        The names of the runs that are ``'finished'`` now or were before, ``'elsewhere'`` in progress, or ``'failed'``.

    Raises:
        ValueError: A config cannot be used, or a recorded run has another recipe.
    """
    outcome = {'finished': [], 'elsewhere': [], 'failed': []}
    recipes = {run.name: recipe_of(run.config()) for run in experiment.runs}  # all configs are read before hours pass
    for number, run in enumerate(experiment.runs, start=1):
        prefix = f'[{number}/{len(experiment.runs)}] {experiment.name}: {run.name}'
        status = 0
        if not find_record(results, experiment.name, run, recipes[run.name]):
            say(f'{prefix} starts')
            status = _call(command_for(run))
        state, words = {
            0: ('finished', 'is finished'),
            IN_PROGRESS_STATUS: ('elsewhere', 'is left to the process that has it'),
        }.get(status, ('failed', f'failed with status {status}'))
        say(f'{prefix} {words}')
        outcome[state].append(run.name)
    return outcome


def status_of(experiment: Experiment, work_dir: str | Path, results: str | Path) -> list[tuple[str, str]]:
    """What has become of every run so far, in words.

    Raises:
        ValueError: A config cannot be used, or a recorded run has another recipe.
    """
    states = []
    for run in experiment.runs:
        folder = Path(work_dir) / run.name
        recipe = recipe_of(run.config())
        record = find_record(results, experiment.name, run, recipe) or reused_record(results, experiment, run, recipe)
        if record:
            figures = ', '.join(f'{name} {record["metrics"][name]:.4f}' for name in experiment.metrics)
            states.append((run.name, f'finished, {figures}, loss {record["final_loss"]}'))
            continue
        checkpoint = latest_checkpoint(folder)
        words = ['in progress' if is_locked(folder) else 'waiting']
        states.append((run.name, ', '.join([*words, f'at {checkpoint.stem}'] if checkpoint else words)))
    return states


def worker_command(tool: str | Path, experiment_file: str, run: Run, work_dir: str, results: str) -> list[str]:
    """The command that executes one run: the tool itself, in the mode of a worker."""
    place = ['--work-dir', work_dir, '--results', results]
    return [sys.executable, str(tool), 'worker', experiment_file, *place, run.network, str(run.seed)]


def _call(command: list[str]) -> int:
    """Runs a command; ends it when this process is asked to end."""
    with subprocess.Popen(command) as process, _passing_on(process):
        return process.wait()


@contextmanager
def _passing_on(process: subprocess.Popen) -> Iterator[None]:
    """Hands SIGTERM to the process and then ends this one; Ctrl-C reaches both by itself."""

    def end(number: int, _frame: object) -> None:
        process.send_signal(number)
        sys.exit(128 + number)  # on its way out, Popen waits for the process

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
