"""The paper's costs against those counted here, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .classification import build_classifier
from .complexity import count
from .costs import Complexity
from .estimators import count_config
from .paper import COCO, IMAGENET, CocoRow, ImageNetRow

#: The paper's dynamic layer.
CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)


@dataclass(frozen=True)
class Figure:
    """One quantity, the paper's and ours.

    Attributes:
        paper: As the paper rounds it; ``None`` where it is not known.
        ours: Counted.
    """

    paper: float | None
    ours: float

    @property
    def relative(self) -> float | None:
        """By how much ours is larger, as a share of the paper's."""
        return None if self.paper is None else self.ours / self.paper - 1


@dataclass(frozen=True)
class Comparison:
    """One row of a table of the paper.

    Attributes:
        row: The paper's figures.
        figures: For ``'all'``, ``'backbone'`` and ``'head'``, the figures named ``'params'``, ``'madds'`` and
            ``'gflops'``, as far as the table has them.
        overhead: For an ImageNet network, its multiply-adds over those of its static twin, less one.
    """

    row: ImageNetRow | CocoRow
    figures: dict[str, dict[str, Figure]]
    overhead: Figure | None = None

    def to_dict(self) -> dict:
        """Everything as plain data; what the paper states is marked so."""
        result = dict(name=self.row.name, paper_mark=self.row.mark)
        for part, figures in self.figures.items():
            result[part] = {
                name: dict(paper=figure.paper, ours=figure.ours, relative=figure.relative)
                for name, figure in figures.items()
            }
        if self.overhead is not None:
            result['overhead'] = dict(paper=self.overhead.paper, ours=self.overhead.ours)
        return result


def count_imagenet(row: ImageNetRow, conv_cfg: dict | None = CONV_CFG) -> Complexity:
    """Counts a network of the ImageNet table at 224x224; static where ``conv_cfg`` is ``None``."""
    network = build_classifier(row.backbone, row.features, row.hidden, conv_cfg)
    return count(network, torch.zeros(1, 3, 224, 224))


def compare_imagenet(rows: Sequence[ImageNetRow] = IMAGENET) -> list[Comparison]:
    """Counts the networks of the ImageNet table."""
    comparisons = []
    for row in rows:
        dynamic, static = count_imagenet(row), count_imagenet(row, conv_cfg=None)
        figures = dict(
            params=Figure(row.params, dynamic.params),
            madds=Figure(row.madds, dynamic.madds),
            gflops=Figure(row.gflops, dynamic.gflops),
        )
        stated = row.madds / row.static_madds - 1 if row.static_madds else None
        comparisons.append(Comparison(row, {'all': figures}, Figure(stated, dynamic.madds / static.madds - 1)))
    return comparisons


def compare_coco(config_root: Path, rows: Sequence[CocoRow] = COCO) -> list[Comparison]:
    """Counts the networks of the keypoint table.

    Args:
        config_root: The project's folder ``configs``.
        rows: What to count.

    Raises:
        FileNotFoundError: A config is not there.
    """
    folder = Path(config_root) / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    comparisons = []
    for row in rows:
        cost = count_config(folder / f'{row.config}.py')
        stated = {'backbone': row.backbone, 'head': row.head, 'all': (row.total_params, None)}
        counted = {part: cost if part == 'all' else cost.part(part) for part in stated}
        figures = {
            part: dict(params=Figure(params, counted[part].params), madds=Figure(madds, counted[part].madds))
            for part, (params, madds) in stated.items()
        }
        comparisons.append(Comparison(row, figures))
    return comparisons
