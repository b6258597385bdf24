"""Pages of the documentation that are written from the configs, their counts and the paper's figures."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .costs import Complexity
from .estimators import count_config
from .paper import COCO, COCO_ABLATION

_ABLATION_BASE = 'td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192'

#: Titles of the groups of ablations, and what the names of their configs say.
_ABLATIONS = {
    'Number of kernels': r'k\d+',
    'Where the network is dynamic': '(backbone|head)-only',
    'Which convolution of a bottleneck is dynamic': 'expand|depthwise|project',
    'Reduction of the attention': r'reduction\d+',
    'Temperature': r'tau\d+(to\d+)?',
}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns after the first two are aligned to the right."""
    rule = ['---'] * 2 + ['---:'] * (len(header) - 2)
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in (header, rule, *rows)) + '\n'


def comment_of(config: Path) -> str:
    """The comment with which a config begins, as one sentence."""
    lines = []
    for line in config.read_text().splitlines():
        if not line.startswith('#'):
            break
        lines.append(line.removeprefix('#').strip())
    return ' '.join(lines)


def ablations_page(root: Path) -> str:
    """The page of the ablations.

    Args:
        root: The project's folder.

    Returns:
        Markdown.

    Raises:
        ValueError: A config of the ablations belongs to no group.
    """
    folder = root / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    base = folder / f'{_ABLATION_BASE}.py'
    stem, tail = _ABLATION_BASE.split('_8xb64')
    found = {
        path.stem.removeprefix(f'{stem}-').removesuffix(f'_8xb64{tail}'): path
        for path in (folder / 'ablations').glob('*.py')
    }
    paper = {
        'backbone-only': COCO_ABLATION['backbone'],
        'head-only': COCO_ABLATION['head'],
        'base': COCO_ABLATION['backbone and head'],
    }

    def row(name: str, path: Path, what: str) -> list[str]:
        link = f'[`{name}`](../{path.relative_to(root).as_posix()})'
        return [link, what, *_costs(count_config(path)), f'{paper[name]:.1f}' if name in paper else '']

    base_row = row('base', base, 'Four kernels, reduction 4, temperature 30; backbone and head dynamic.')
    header = ['config', 'what differs', 'params', 'backbone', 'head', 'MAdds', 'backbone', 'head', 'AP (paper)']
    parts = [_ABLATION_HEAD.format(base=_ABLATION_BASE, static=COCO_ABLATION['none'])]
    for title, pattern in _ABLATIONS.items():
        names = sorted((name for name in found if re.fullmatch(pattern, name)), key=_natural)
        rows = [row(name, found[name], comment_of(found[name])) for name in names]
        for name in names:
            del found[name]
        parts.append(f'## {title}\n\n' + markdown_table(header, [base_row, *rows]))
    if found:
        raise ValueError(f'Every ablation must belong to a group of this page, and {sorted(found)} belong to none.')
    return '\n'.join(parts)


_ABLATION_HEAD = """<!-- Written by tools/make_docs.py. -->

# Ablations

Each config is its base, type B DY-MobileNetV2 x0.5 on COCO at 256x192
(`{base}`), with one thing changed. They are under
`configs/body_2d_keypoint/topdown_heatmap/coco/ablations/`. Train and evaluate one with

```bash
python tools/train.py CONFIG
python tools/test.py CONFIG CHECKPOINT
```

Parameters and multiply-adds (MAdds) are counted, in the paper's accounting, by `python tools/complexity.py CONFIG`. The
last column holds figures that the paper states for COCO val2017, no result of this project; the static network has
{static} AP there.
"""


def models_page(root: Path) -> str:
    """The page of the paper's keypoint networks.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    folder = root / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap' / 'coco'
    rows = []
    for row in COCO:
        path = folder / f'{row.config}.py'
        ap, mark = f'{row.ap[0]:.1f}', 'P' if row.mark.startswith('P') else 'R'
        link = f'[`{row.config}`](../{path.relative_to(root).as_posix()})'
        rows.append([row.name, link, *_costs(count_config(path)), ap, mark])
    header = ['network', 'config', 'params', 'backbone', 'head', 'MAdds', 'backbone', 'head', 'AP (paper)', 'mark']
    return _MODELS_HEAD + '\n' + markdown_table(header, rows)


_MODELS_HEAD = """<!-- Written by tools/make_docs.py. -->

# Networks of the paper

COCO keypoints at 256x192. Type A has three deconvolutions as its head, type B light bottlenecks, which are dynamic
too where the network is. Parameters and multiply-adds (MAdds) are counted, in the paper's accounting, by `python
tools/complexity.py CONFIG`; `python tools/complexity.py --paper` holds them against the paper's. The AP is the one
that the paper states for COCO val2017 with the boxes of a person detector, no result of this project; P marks what is
published and confirmed from a second source, R what is recalled from the paper's tables and not confirmed cell by cell.

Train and evaluate a network with

```bash
python tools/train.py CONFIG
python tools/test.py CONFIG CHECKPOINT
```
"""


def _costs(cost: Complexity) -> list[str]:
    """Parameters and multiply-adds, each of the whole, the backbone and the head."""
    parts = [cost, cost.part('backbone'), cost.part('head')]
    return [f'{part.params / 1e6:.2f}M' for part in parts] + [f'{part.madds / 1e6:.1f}M' for part in parts]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key with which ``'k2'`` comes before ``'k10'``."""
    return [(int(part), '') if part.isdigit() else (0, part) for part in re.split(r'(\d+)', name)]


#: The generated pages, by their place in the project.
PAGES: dict[str, Callable[[Path], str]] = {'docs/ablations.md': ablations_page, 'docs/models.md': models_page}
