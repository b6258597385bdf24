"""The paper's costs against those counted here, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from .costs import Complexity
from .counter import count
from .estimators import count_config
from .paper import COCO, IMAGENET, CocoRow, ImageNetRow

#: The paper's dynamic layer.
CONV_CFG = dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30)


class Classifier(nn.Module):
    """Backbone, global average pool and linear layers, as the paper counts them for ImageNet; not for training.

    Args:
        backbone: Maps images (B, 3, H, W) to features (B, C, H/32, W/32), alone or as the last of a tuple.
        features: C.
        hidden: Nothing, or the widths of MobileNetV3's last 1x1 convolution and of its hidden linear layer.
        num_classes: Number of classes.
    """

    def __init__(self, backbone: nn.Module, features: int, hidden: Sequence[int] = (), num_classes: int = 1000) -> None:
        super().__init__()
        self.backbone = backbone
        self.conv = nn.Sequential()
        if hidden:
            width = hidden[0]
            self.conv = nn.Sequential(nn.Conv2d(features, width, 1, bias=False), nn.BatchNorm2d(width), nn.Hardswish())
        widths = [*hidden] or [features]
        layers = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width), nn.Hardswish()]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Maps images (B, 3, H, W) to logits (B, ``num_classes``)."""
        features = self.backbone(x)
        features = features[-1] if isinstance(features, tuple) else features
        return self.fc(self.pool(self.conv(features)).flatten(1))


@dataclass(frozen=True)
class Figure:
    """One quantity: the paper's, as the paper rounds it (``None`` where it is not known), and the one counted here."""

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
        """Plain data, in which what the paper states is marked so."""
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
    backbone = MODELS.build(dict(row.backbone, _scope_='mmpose', conv_cfg=conv_cfg))
    return count(Classifier(backbone, row.features, row.hidden), torch.zeros(1, 3, 224, 224))


def compare_imagenet(rows: Sequence[ImageNetRow] = IMAGENET) -> list[Comparison]:
    """Counts the networks of the ImageNet table."""
    comparisons = []
    for row in rows:
        dynamic, static = count_imagenet(row), count_imagenet(row, conv_cfg=None)
        figures = {name: Figure(getattr(row, name), getattr(dynamic, name)) for name in ('params', 'madds', 'gflops')}
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
