"""Figures of an inspection, as a person would put them in a paper."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from analysis_tools.scalars import read_scalars
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .inspection import Inspection
from .seeds import changes, check_alike

plt.switch_backend('Agg')  # files, never windows


def draw_figures(inspection: Inspection, out_dir: str | Path, metric: str, prefix: str = '') -> list[Path]:
    """Draws every figure of an inspection.

    Args:
        inspection: What was found.
        out_dir: The folder of the image files.
        metric: The metric of the figure on replaced attention.
        prefix: With which the names of the files begin.

    Returns:
        The image files.
    """
    figures = {
        'layers': draw_layers([layer.as_dict() for layer in inspection.layers]),
        'images': draw_images(inspection.pi, inspection.image_of),
    }
    if any(inspection.replaced.values()):
        figures['replaced'], axes = plt.subplots(figsize=(9, 3.8), constrained_layout=True)
        draw_changes(axes, [dict(inspection.as_dict(), metric=metric)])
    return [_save(figure, Path(out_dir) / f'{prefix}{name}.png') for name, figure in figures.items()]


def short_names(names: Sequence[str]) -> list[str]:
    """Names of layers without what says nothing: ``backbone.layer3.block.conv.weight_layer`` as ``layer3.block``."""
    dull = ('backbone', 'conv', 'network', 'layers')
    return ['.'.join(part for part in name.split('.') if part not in dull) for name in names]


def draw_layers(layers: Sequence[Mapping]) -> Figure:
    """By layer: entropy, what the image tells of the attention, use of the kernels, and how alike they are."""
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(9, 8.4), sharex=True, constrained_layout=True)
    places = range(len(layers))
    top.plot(places, [layer['entropy'] for layer in layers], 'o-', label="of an image's attention, mean")
    top.plot(places, [layer['entropy_of_mean'] for layer in layers], 's--', label='of the mean attention')
    top.set(ylabel='entropy / log K', ylim=(None, 1.02))
    top.legend()
    kernels = max(layer['num_kernels'] for layer in layers)
    for kernel in range(kernels):
        mine = [(place, layer) for place, layer in enumerate(layers) if kernel < layer['num_kernels']]
        xs = [place + 0.15 * (kernel - (kernels - 1) / 2) for place, _ in mine]
        means = [layer['mean_pi'][kernel] for _, layer in mine]
        middle.vlines(xs, means, [layer['largest_pi'][kernel] for _, layer in mine], color=f'C{kernel}', alpha=0.4)
        middle.plot(xs, means, 'o', color=f'C{kernel}', markersize=4, label=f'kernel {kernel + 1}')
    middle.set(ylabel='share of a kernel:\nmean, up to its largest', ylim=(0, None))
    middle.legend(ncols=4, fontsize='small')
    similar = [(place, layer['kernel_similarity']) for place, layer in enumerate(layers)]
    similar = [(place, value) for place, value in similar if value is not None]
    bottom.bar([place for place, _ in similar], [value for _, value in similar], color='0.5')
    bottom.axhline(0, color='black', linewidth=0.8)
    bottom.set(ylabel='cosine similarity\nof two kernels, mean')
    bottom.set_xticks(places, short_names([layer['name'] for layer in layers]), rotation=90, fontsize=7)
    for axes in (top, middle, bottom):
        axes.grid(alpha=0.3)
    return figure


def draw_images(pi: Mapping[str, Tensor], image_of: Callable[[int], Tensor], count: int = 5) -> Figure:
    """Single images: the attention of every layer less the data set's mean, from the most usual image to the least.

    Args:
        pi: By layer, (N, K).
        image_of: The network's input by its number, (3, H, W) uint8 in BGR.
        count: How many images.
    """
    kernels = max(value.shape[1] for value in pi.values())
    # layers with fewer kernels are filled with zeros: no deviation
    deviations = torch.stack(
        [torch.nn.functional.pad(v - v.mean(dim=0), (0, kernels - v.shape[1])) for v in pi.values()], dim=1
    )  # (N, layers, K)
    order = deviations.flatten(1).norm(dim=1).argsort()
    count = min(count, len(order))
    chosen = [int(order[round(place * (len(order) - 1) / max(count - 1, 1))]) for place in range(count)]
    limit = float(deviations[chosen].abs().max()) or 1.0
    figure, grid = plt.subplots(
        count, 2, figsize=(9, 1.45 * count + 1), width_ratios=(1, 7), squeeze=False, constrained_layout=True
    )
    for (left, right), index in zip(grid, chosen, strict=True):
        left.imshow(image_of(index).permute(1, 2, 0).flip(-1).numpy())
        left.axis('off')
        image = right.imshow(
            deviations[index].T, cmap='RdBu_r', vmin=-limit, vmax=limit, aspect='auto', interpolation='nearest'
        )
        right.set_yticks(range(kernels), [str(kernel + 1) for kernel in range(kernels)], fontsize=7)
        right.set_xticks([])
        right.set_ylabel('kernel', fontsize=8)
    grid[-1][1].set_xticks(range(len(pi)), short_names(list(pi)), rotation=90, fontsize=6)
    figure.colorbar(image, ax=grid[:, 1], label="attention less the data set's mean", shrink=0.7)
    return figure


def draw_logged_training(work_dir: str | Path, out: str | Path) -> Path:
    """Draws the entropy over a training that :class:`~dyconv_pose.engine.AttentionLogHook` logged.

    Args:
        work_dir: The training's work directory.
        out: The image file to write.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: There are no logs.
        ValueError: They hold nothing of the attention.
    """
    prefix = 'attention/entropy/'
    entries = {}  # by step, so that of what an interrupted run repeated the later counts
    for entry in read_scalars(work_dir):
        found = {name.removeprefix(prefix): value for name, value in entry.items() if name.startswith(prefix)}
        if found:
            entries[entry['step']] = found
    if not entries:
        raise ValueError(
            f'The logs in "{work_dir}" must hold entropies and hold none: train with '
            "default_hooks = dict(attention=dict(type='AttentionLogHook'))."
        )
    steps = sorted(entries)
    entropies = {name: [entries[step][name] for step in steps] for name in entries[steps[0]]}
    figure = draw_training(steps, entropies, 'iteration')
    return _save(figure, out)


def draw_training(steps: Sequence[float], entropies: Mapping[str, Sequence[float]], unit: str) -> Figure:
    """Entropy over training, a line for each layer, from the first in blue to the last in yellow.

    Args:
        steps: Where on the horizontal axis.
        entropies: By layer, one value for each step.
        unit: Of the steps.
    """
    figure, axes = plt.subplots(figsize=(7, 3.8), constrained_layout=True)
    colours = plt.get_cmap('viridis')
    for index, (name, values) in enumerate(entropies.items()):
        share = index / max(len(entropies) - 1, 1)
        edge = index in (0, len(entropies) - 1)
        axes.plot(steps, values, color=colours(share), linewidth=1, label=short_names([name])[0] if edge else None)
    means = [sum(values) / len(values) for values in zip(*entropies.values(), strict=True)]
    axes.plot(steps, means, color='black', linewidth=2, label='mean of all layers')
    axes.set(xlabel=unit, ylabel='entropy of the attention / log K')
    axes.grid(alpha=0.3)
    axes.legend(fontsize='small')
    return figure


def draw_seeds(records: Sequence[Mapping], out: str | Path) -> Path:
    """Draws how the attention depends on the image by layer, and what the score loses where attention is replaced.

    Args:
        records: Inspections of the same network.
        out: The image file to write.

    Returns:
        ``out``.

    Raises:
        ValueError: They cannot be taken together.
    """
    check_alike(records)
    count = 1 + any(records[0]['replaced'].values())
    figure, grid = plt.subplots(count, 1, figsize=(9, 3.6 * count), squeeze=False, constrained_layout=True)
    _draw_dependence(grid[0][0], records)
    if count == 2:
        draw_changes(grid[1][0], records)
    return _save(figure, out)


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


def draw_changes(axes: Axes, records: Sequence[Mapping]) -> None:
    """What the score loses where the attention of a group of layers is replaced: the mean, and each network.

    ``max`` is left out: it costs so much that nothing could be seen of the others.
    """
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


def _save(figure: Figure, out: str | Path) -> Path:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return Path(out)
