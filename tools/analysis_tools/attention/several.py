"""Inspections of one network trained with several seeds, taken together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import matplotlib

matplotlib.use('Agg')  # a file, never a window

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from dyconv_pose.experiments.statistics import Summary, summarise

from .figures import short_names


def changes(records: Sequence[Mapping], group: str, kind: str) -> Summary:
    """By how many points the metric changes where the attention of a group of layers is replaced.

    Args:
        records: Inspections of the same network, as ``tools/inspect_attention.py`` writes them.
        group: Of layers.
        kind: What stands in place of their attention.
    """
    metric = records[0]['metric']
    return summarise([100 * (r['replaced'][group][kind][metric] - r['scores'][metric]) for r in records])


def check_alike(records: Sequence[Mapping]) -> None:
    """Makes sure that inspections can be taken together.

    Raises:
        ValueError: There are fewer than two, or they differ in network, metric, persons or what was replaced.
    """
    if len(records) < 2:
        raise ValueError(f'Inspections are taken together from two on, got {len(records)}.')
    for key, of in {
        'layers': lambda record: [layer['name'] for layer in record['layers']],
        'metric': lambda record: record['metric'],
        'persons': lambda record: record['persons'],
        'replacements': lambda record: {group: sorted(kinds) for group, kinds in record['replaced'].items()},
    }.items():
        first, *others = map(of, records)
        if any(other != first for other in others):
            raise ValueError(f'Inspections that are taken together must have the same {key}, and these differ.')


def findings_of_several(records: Sequence[Mapping]) -> list[str]:
    """The main figures in words."""
    layers = [record['layers'] for record in records]
    even = [sum(layer['entropy'] > 0.99 for layer in of_one) for of_one in layers]
    dependence = {
        of_layer[0]['name']: mean(layer['image_dependence'] for layer in of_layer)
        for of_layer in zip(*layers, strict=True)
    }
    most = sorted(dependence, key=dependence.get, reverse=True)[:3]
    dead = [sum(layer['dead_kernels'] for layer in of_one) for of_one in layers]
    kernels = sum(layer['num_kernels'] for layer in layers[0])
    sentences = [
        f'{_range(even)} of {len(layers[0])} layers have an entropy above 0.99.',
        'The image decides most, in the mean of the networks, in '
        + ', '.join(f'`{name}` ({dependence[name]:.4f} of log K)' for name in most)
        + '.',
        f'{_range(dead)} of {kernels} kernels are dead.',
    ]
    metric = records[0]['metric']
    for kind, what in {'mean': 'the mean attention, a static network', 'shuffle': "another image's attention"}.items():
        if kind in records[0]['replaced']['all']:
            summary = changes(records, 'all', kind)
            shown = '' if summary.excludes_zero else ': no difference is shown'
            sentences.append(f'With {what}, in every layer, {metric} changes by {interval(summary)} points{shown}.')
    return sentences


def interval(summary: Summary) -> str:
    """Such as ``'-1.32 (-2.10 to -0.54)'``."""
    low, high = summary.interval
    return f'{summary.mean:+.2f} ({low:+.2f} to {high:+.2f})'


def draw_several(records: Sequence[Mapping], out: str | Path) -> Path:
    """Draws what the image tells of the attention by layer, and what the score loses where attention is replaced.

    ``max`` is left out: it costs so much that nothing could be seen of the others.

    Args:
        records: Inspections of the same network.
        out: The picture to write.

    Returns:
        ``out``.

    Raises:
        ValueError: They cannot be taken together.
    """
    check_alike(records)
    is_replaced = any(records[0]['replaced'].values())
    count = 1 + is_replaced
    figure, grid = plt.subplots(count, 1, figsize=(9, 3.6 * count), squeeze=False, constrained_layout=True)
    _draw_dependence(grid[0][0], records)
    if is_replaced:
        _draw_changes(grid[1][0], records)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return Path(out)


def _draw_dependence(axes: Axes, records: Sequence[Mapping]) -> None:
    names = [layer['name'] for layer in records[0]['layers']]
    for number, record in enumerate(records):
        values = [layer['image_dependence'] for layer in record['layers']]
        axes.plot(range(len(names)), values, 'o', color=f'C{number}', markersize=4, label=f'network {number + 1}')
    axes.set_yscale('symlog', linthresh=1e-4)
    axes.set_xticks(range(len(names)), short_names(names), rotation=90, fontsize=7)
    axes.set(ylabel='dependence of the attention\non the image / log K', ylim=(0, None))
    axes.legend(ncols=4, fontsize='small')
    axes.grid(alpha=0.3, axis='y')


def _draw_changes(axes: Axes, records: Sequence[Mapping]) -> None:
    groups = [group for group, kinds in records[0]['replaced'].items() if kinds]
    kinds = [kind for kind in records[0]['replaced'][groups[0]] if kind != 'max']
    for index, kind in enumerate(kinds):
        xs = [place + 0.8 * (index - (len(kinds) - 1) / 2) / len(kinds) for place in range(len(groups))]
        heights = [changes(records, group, kind).mean for group in groups]
        axes.bar(xs, heights, 0.8 / len(kinds), color=f'C{index}', label=kind)
        for number, record in enumerate(records):
            each = [changes([record], group, kind).mean for group in groups]
            label = '_' if index or number else 'each network'
            axes.plot(xs, each, '.', color='black', markersize=3, label=label)
    axes.axhline(0, color='black', linewidth=0.8)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(xlabel='layers whose attention is replaced', ylabel=f'change of {records[0]["metric"]}, points')
    axes.legend(ncols=len(kinds) + 1, fontsize='small')
    axes.grid(alpha=0.3, axis='y')


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f'{low} to {high}'
