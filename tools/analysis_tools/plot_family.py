"""Draws the family side by side: AP over the time of one image and over the parameters."""

import argparse
import sys
from pathlib import Path
from statistics import mean

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/images/family.png')
    args = parser.parse_args()
    import matplotlib.pyplot as plt
    from analysis_tools.pages.family import comparison

    plt.switch_backend('Agg')  # a file, never a window
    rows = [row for row in comparison(ROOT) if row['ap']]
    panels = {
        'ms an image, batches of 16 in PyTorch, one thread': [
            row['times']['infer_16']['median_ms'] / 16 for row in rows
        ],
        'ms an image, ONNX Runtime at batch 1, one thread': [row['times']['onnxruntime']['median_ms'] for row in rows],
        'million parameters': [row['params'] / 1e6 for row in rows],
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 4), sharey=True, constrained_layout=True)
    for axis, (title, places) in zip(axes, panels.items(), strict=True):
        for number, (row, x) in enumerate(zip(rows, places, strict=True)):
            axis.plot([x] * len(row['ap']), row['ap'], '.', color=f'C{number}', alpha=0.5)
            axis.plot(x, mean(row['ap']), 'o', color=f'C{number}')
            axis.annotate(row['name'], (x, mean(row['ap'])), xytext=(6, 4), textcoords='offset points', fontsize=9)
        axis.set(xlabel=title, xlim=(0, 1.4 * max(places)))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('AP, %; small dots are seeds')
    figure.savefig(args.out, dpi=110)
    print(args.out)


if __name__ == '__main__':
    run(main)
