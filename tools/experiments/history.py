"""The course of a run, from its logs: loss and metrics by epoch, over all interruptions."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dyconv_pose.analysis.curves import read_scalars


@dataclass(frozen=True)
class History:
    """What the logs of a run say.

    Attributes:
        epochs: How many epochs were trained.
        iterations: How many iterations.
        training_seconds: Time of the iterations, without evaluation, start and what an interruption undid.
        final_loss: Mean training loss of the last epoch.
        losses: Every epoch's number, from one on, and mean training loss.
        validations: For every validation, its epoch and metrics.
    """

    epochs: int
    iterations: int
    training_seconds: int
    final_loss: float
    losses: list[tuple[int, float]]
    validations: list[dict[str, float]]

    def as_dict(self) -> dict:
        """Plain data, rounded to what is meaningful."""
        content = asdict(self)
        content['losses'] = [[epoch, float(f'{loss:.5g}')] for epoch, loss in self.losses]
        content['final_loss'] = float(f'{self.final_loss:.5g}')
        content['validations'] = [
            {name: round(value, 5) for name, value in entry.items()} for entry in self.validations
        ]
        return content


def read_history(work_dir: str | Path) -> History:
    """Reads the logs of a work directory.

    A run that was interrupted repeats the iterations after its last checkpoint; the later ones count.

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
        by_epoch.setdefault(int(entry.get('epoch', 0)), []).append(entry['loss'])
    losses = [(epoch, sum(values) / len(values)) for epoch, values in sorted(by_epoch.items())]
    return History(
        epochs=losses[-1][0],
        iterations=before,
        training_seconds=round(seconds),
        final_loss=losses[-1][1],
        losses=losses,
        validations=[{'epoch': epoch, **metrics} for epoch, metrics in sorted(validations.items())],
    )
