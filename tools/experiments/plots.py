"""Learning curves of an experiment: a line for each network, its seeds' range around it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .description import Experiment

plt.switch_backend('Agg')  # files, never windows


def plot_learning_curves(experiment: Experiment, records: Sequence[Mapping], out: str | Path) -> Path:
    """Draws training loss and metrics by epoch: the mean over seeds, and the range from the lowest to the highest.

    Args:
        experiment: The experiment.
        records: Its records, at least one.
        out: The image file to write.

    Returns:
        ``out``.

    Raises:
        ValueError: There are no records.
    """
    if not records:
        raise ValueError('Learning curves need at least one finished run, and there is none: run the experiment first.')
    panels = ['training loss', *experiment.metrics]
    columns = 3 if len(panels) > 4 else len(panels)
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.2 * columns, 3.2 * rows), constrained_layout=True, squeeze=False
    )
    for axes, panel in zip(grid.flat, panels, strict=False):
        for index, network in enumerate(experiment.networks):
            mine = [record for record in records if record['network'] == network]
            # a network and the one it is compared with share a colour, full and dashed
            pairs = [place for place, pair in enumerate(experiment.comparisons) if network in pair]
            place = pairs[0] if pairs else index
            is_old = bool(pairs) and experiment.comparisons[place][1] == network
            colour = f'C{place if len(experiment.comparisons) > 1 else index}'
            label = f'{network} (n={len(mine)})'
            _draw(axes, [_points(record, panel) for record in mine], colour, '--' if is_old else '-', label)
        unit = 'epoch' if any(record['epochs'] for record in records) else 'iteration'
        axes.set(xlabel=unit, title=panel if panel == 'training loss' else f'{panel}, %')
        axes.grid(alpha=0.3)
        if panel == 'training loss':
            axes.set_yscale('log')
    for axes in grid.flat[len(panels) :]:
        axes.axis('off')
    handles, labels = grid.flat[0].get_legend_handles_labels()
    if len(panels) < rows * columns:
        grid.flat[len(panels)].legend(handles, labels, loc='center')
    else:
        grid.flat[0].legend(fontsize='small')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return Path(out)


def _points(record: Mapping, panel: str) -> dict[int, float]:
    """Values of a run by epoch."""
    if panel == 'training loss':
        return dict(record['losses'])
    return {entry['epoch']: 100 * entry[panel] for entry in record['validations'] if panel in entry}


def _draw(axes: Axes, runs: Sequence[Mapping[int, float]], colour: str, style: str, label: str) -> None:
    values = defaultdict(list)
    for run in runs:
        for epoch, value in run.items():
            values[epoch].append(value)
    if not values:
        return
    epochs = sorted(values)
    means = [sum(values[epoch]) / len(values[epoch]) for epoch in epochs]
    axes.plot(epochs, means, style, color=colour, label=label)
    if len(runs) > 1:
        low, high = ([pick(values[epoch]) for epoch in epochs] for pick in (min, max))
        axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
