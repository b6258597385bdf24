"""Inspections of one network trained with several seeds, taken together: tables and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from analysis_tools.pages.fill import markdown_table
from experiments.report import Summary, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_alike(records: Sequence[Mapping]) -> None:
    """Makes sure that inspections can be taken together.

    Args:
        records: Inspections, as ``inspect_attention.py`` writes them.

    Raises:
        ValueError: They differ in network, metric, persons or what was replaced.
    """
    for key, of in {
        'layers': lambda record: [layer['name'] for layer in record['layers']],
        'metric': lambda record: record['metric'],
        'persons': lambda record: record['persons'],
        'replacements': lambda record: {group: sorted(kinds) for group, kinds in record['replaced'].items()},
    }.items():
        first, *others = map(of, records)
        if any(other != first for other in others):
            raise ValueError(f'Inspections that are taken together must have the same {key}, and these differ.')


def changes(records: Sequence[Mapping], group: str, kind: str) -> Summary:
    """By how many points the metric changes where the attention of a group of layers is replaced.

    Args:
        records: Inspections of the same network.
        group: Of layers.
        kind: What stands in place of their attention.
    """
    metric = records[0]['metric']
    return summarise([100 * (r['replaced'][group][kind][metric] - r['scores'][metric]) for r in records])


def overview(records: Sequence[Mapping]) -> list[tuple[str, str]]:
    """The main figures of inspections of the same network, each with its name.

    Raises:
        ValueError: They cannot be taken together.
    """
    check_alike(records)
    layers, metric = [record['layers'] for record in records], records[0]['metric']
    even = [sum(layer['entropy'] > 0.99 for layer in of_one) for of_one in layers]
    dead = [sum(layer['dead_kernels'] for layer in of_one) for of_one in layers]
    dependence = {of[0]['name']: mean(layer['image_dependence'] for layer in of) for of in zip(*layers, strict=True)}
    most = max(dependence, key=dependence.get)
    trained = summarise([100 * record['scores'][metric] for record in records])
    spread = '' if trained.spread is None else f' ± {trained.spread:.1f}'
    figures = [
        ('networks', str(len(records))),
        ('persons', str(records[0]['persons'])),
        ('layers with entropy > 0.99', f'{_range(even)} of {len(layers[0])}'),
        ('largest dependence on the image', f'{dependence[most]:.4f} in `{most}`'),
        ('dead kernels', f'{_range(dead)} of {sum(layer["num_kernels"] for layer in layers[0])}'),
        (f'{metric}', f'{trained.mean:.1f}{spread}'),
    ]
    for kind in records[0]['replaced']['all']:
        figures.append((f'change with `{kind}`', changes(records, 'all', kind).with_interval()))
    return figures


def group_table(records: Sequence[Mapping]) -> str:
    """Changes of the metric in points, with Student's 95% intervals, where the attention of a group is replaced.

    Raises:
        ValueError: The inspections cannot be taken together.
    """
    check_alike(records)
    groups = {group: list(kinds) for group, kinds in records[0]['replaced'].items() if kinds}
    rows = [
        [group, records[0]['groups'][group], *(changes(records, group, kind).with_interval() for kind in kinds)]
        for group, kinds in groups.items()
    ]
    return markdown_table(['layers', 'how many', *(f'`{kind}`' for kind in next(iter(groups.values()), []))], rows)


def draw_seeds(records: Sequence[Mapping], out: str | Path) -> Path:
    """Draws how the attention depends on the image by layer, and what the score loses where attention is replaced.

    ``max`` is left out: it costs so much that nothing could be seen of the others.

    Args:
        records: Inspections of the same network.
        out: The image file to write.

    Returns:
        ``out``.

    Raises:
        ValueError: They cannot be taken together.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend('Agg')  # a file, never a window
    check_alike(records)
    count = 1 + any(records[0]['replaced'].values())
    figure, grid = plt.subplots(count, 1, figsize=(9, 3.6 * count), squeeze=False, constrained_layout=True)
    _draw_dependence(grid[0][0], records)
    if count == 2:
        _draw_changes(grid[1][0], records)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return Path(out)


def _draw_dependence(axes: 'Axes', records: Sequence[Mapping]) -> None:
    from .figures import short_names

    names = [layer['name'] for layer in records[0]['layers']]
    for number, record in enumerate(records):
        values = [layer['image_dependence'] for layer in record['layers']]
        axes.plot(range(len(names)), values, 'o', color=f'C{number}', markersize=4, label=f'network {number + 1}')
    axes.set_yscale('symlog', linthresh=1e-4)
    axes.set_xticks(range(len(names)), short_names(names), rotation=90, fontsize=7)
    axes.set(ylabel='dependence of the attention\non the image / log K', ylim=(0, None))
    axes.legend(ncols=4, fontsize='small')
    axes.grid(alpha=0.3, axis='y')


def _draw_changes(axes: 'Axes', records: Sequence[Mapping]) -> None:
    groups = [group for group, kinds in records[0]['replaced'].items() if kinds]
    kinds = [kind for kind in records[0]['replaced'][groups[0]] if kind != 'max']
    for index, kind in enumerate(kinds):
        xs = [place + 0.8 * (index - (len(kinds) - 1) / 2) / len(kinds) for place in range(len(groups))]
        heights = [changes(records, group, kind).mean for group in groups]
        axes.bar(xs, heights, 0.8 / len(kinds), color=f'C{index}', label=kind)
        for number, record in enumerate(records):
            each = [changes([record], group, kind).mean for group in groups]
            axes.plot(xs, each, '.', color='black', markersize=3, label='_' if index or number else 'each network')
    axes.axhline(0, color='black', linewidth=0.8)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(xlabel='layers whose attention is replaced', ylabel=f'change of {records[0]["metric"]}, points')
    axes.legend(ncols=len(kinds) + 1, fontsize='small')
    axes.grid(alpha=0.3, axis='y')


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f'{low} to {high}'
