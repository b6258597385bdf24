"""Inspections of one network trained with several seeds, taken together."""

from collections.abc import Mapping, Sequence
from statistics import mean

from analysis_tools.pages.fill import markdown_table
from experiments.report import Summary, summarise


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


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f'{low} to {high}'
