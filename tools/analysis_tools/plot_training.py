"""Draws the training curves of one or more work directories."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def metric_points(scalars: Sequence[dict[str, float]], metric: str) -> list[tuple[float, float]]:
    """When a metric was logged, and its value.

    Args:
        scalars: What :func:`~analysis_tools.scalars.read_scalars` returns.
        metric: The metric's name.

    Returns:
        Pairs of the epoch, in a run without epochs the iteration, and the value. In such a run MMEngine may number
        every evaluation 0, so there it is the last iteration whose loss was logged.
    """
    by_epoch = any('epoch' in entry for entry in scalars if 'loss' in entry)
    points, iteration = [], 0
    for entry in scalars:
        iteration = entry.get('iter', iteration)
        if metric in entry:
            points.append((entry['step'] if by_epoch else iteration, entry[metric]))
    return points


def plot_training(
    work_dirs: Sequence[str | Path], out: str | Path, metrics: Sequence[str] = ('coco/AP', 'coco/AR')
) -> Path:
    """Draws the training loss and the evaluation metrics over training, one colour per work directory.

    Args:
        work_dirs: Work directories of training runs; a resumed run counts as one.
        out: The image file to write.
        metrics: Names of logged metrics.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: A directory holds no log.
    """
    import matplotlib.pyplot as plt
    from analysis_tools.scalars import read_scalars

    plt.switch_backend('Agg')  # a file, never a window
    figure, (loss_axes, metric_axes) = plt.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    for index, work_dir in enumerate(work_dirs):
        scalars = read_scalars(work_dir)
        label = Path(work_dir).name if len(work_dirs) > 1 else None
        losses = [entry for entry in scalars if 'loss' in entry and 'iter' in entry]
        # "iter" counts all iterations, so the length of an epoch follows from the last one of each. A run without
        # epochs is drawn over iterations.
        per_epoch = max((entry['iter'] / entry.get('epoch', entry['iter']) for entry in losses), default=1)
        unit = 'epoch' if any('epoch' in entry for entry in losses) else 'iteration'
        points = [(entry['iter'] / per_epoch, entry['loss']) for entry in losses]
        loss_axes.plot(*zip(*points, strict=True), color=f'C{index}', label=label)
        for metric, style in zip(metrics, ('-o', '--s', ':^', '-.v'), strict=False):
            points = metric_points(scalars, metric)
            if points:
                name = ' '.join(filter(None, (label, metric.removeprefix('coco/'))))
                metric_axes.plot(*zip(*points, strict=True), style, color=f'C{index}', label=name, markersize=4)
    loss_axes.set(xlabel=unit, ylabel='training loss', yscale='log')
    metric_axes.set(xlabel=unit, ylabel='validation', ylim=(0, 1.05 * metric_axes.get_ylim()[1]))
    for axes in (loss_axes, metric_axes):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    return Path(out)


def main() -> None:
    """Reads the command line, draws and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', help='work directories of training runs')
    parser.add_argument('--out', default='training.png', help='the image file to write (default: training.png)')
    parser.add_argument('--metrics', nargs='+', default=['coco/AP', 'coco/AR'], help='metrics to draw')
    args = parser.parse_args()
    print(plot_training(args.work_dirs, args.out, args.metrics))


if __name__ == '__main__':
    run(main)
