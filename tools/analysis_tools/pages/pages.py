"""Pages of the documentation that are written from the configs, their counts and the paper's figures."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dyconv_pose.experiments.report import experiments_page

from .attention.page import attention_page
from .coco_run import coco_run_page
from .costs import Complexity
from .deploy_page import benchmarks_page
from .markdown import comment_of, markdown_table
from .metafiles import POSE_FOLDERS, imagenet_metafile, model_index, pose_metafile
from .operator_page import operator_page
from .paper import COCO, COCO_ABLATION, IMAGENET
from .robustness import robustness_page
from .trained import trained_page
from .zoo import ABLATION_BASE, COCO_FOLDER, IMAGENET_FOLDER, TAIL, cost_of, imagenet_cost, measured, paper_ap

#: Titles of the groups of ablations, and what the names of their configs say.
_ABLATIONS = {
    'Number of kernels': r'k\d+',
    'Where the network is dynamic': '(backbone|head)-only',
    'Which convolution of a bottleneck is dynamic': 'expand|depthwise|project',
    'Reduction of the attention': r'reduction\d+',
    'Temperature': r'tau\d+(to\d+)?',
}


def ablations_page(root: Path) -> str:
    """The page of the ablations.

    Args:
        root: The project's folder.

    Returns:
        Markdown.

    Raises:
        ValueError: A config of the ablations belongs to no group.
    """
    folder = root / COCO_FOLDER
    base = folder / f'{ABLATION_BASE}{TAIL}.py'
    found = {
        path.stem.removeprefix(f'{ABLATION_BASE}-').removesuffix(TAIL): path
        for path in (folder / 'ablations').glob('*.py')
    }

    def row(name: str, path: Path, what: str) -> list[str]:
        link = f'[`{name}`](../{path.relative_to(root).as_posix()})'
        stated = paper_ap(path.stem)
        return [link, what, *_costs(cost_of(path)), f'{stated[0]:.1f}' if stated else '', _score(root, path.stem)]

    base_row = row('base', base, 'Four kernels, reduction 4, temperature 30; backbone and head dynamic.')
    header = [
        'config',
        'what differs',
        'params',
        'backbone',
        'head',
        'MAdds',
        'backbone',
        'head',
        'AP (paper)',
        'our AP',
    ]
    parts = [_ABLATION_HEAD.format(base=ABLATION_BASE + TAIL, static=COCO_ABLATION['none'])]
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

Parameters and multiply-adds (MAdds) are counted, in the paper's accounting, by `python tools/complexity.py CONFIG`.
"AP (paper)" holds figures that the paper states for COCO val2017, no result of this project; the static network has
{static} AP there. "Our AP" is what this project measured; a dash means that it has not.
"""


def models_page(root: Path) -> str:
    """The page of the paper's networks, for keypoints and for classification.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    rows = []
    for row in COCO:
        path = root / COCO_FOLDER / f'{row.config}.py'
        ap, mark = paper_ap(row.config)
        link = _link(COCO_FOLDER, row.config)
        rows.append([row.name, link, *_costs(cost_of(path)), f'{ap:.1f}', mark, _score(root, row.config)])
    pose = markdown_table(['network', 'config', *_COSTS, 'AP (paper)', 'mark', 'our AP'], rows)
    rows = []
    for row in IMAGENET:
        for is_dynamic in (False, True):
            config = ('dy-' if is_dynamic else '') + row.config
            name = row.name if is_dynamic else row.name.removeprefix('DY-')
            cost = imagenet_cost(row.name, is_dynamic)
            counts = [f'{cost.params / 1e6:.2f}M', f'{cost.madds / 1e6:.1f}M', f'{cost.gflops:.3f}']
            accuracy = [f'{row.top1[is_dynamic]:.1f}', row.mark or '-', _score(root, config, 'accuracy/top1')]
            rows.append([name, _link(IMAGENET_FOLDER, config), *counts, *accuracy])
    header = ['network', 'config', 'params', 'MAdds', 'GFLOPs', 'top-1 (paper)', 'mark', 'our top-1']
    return _MODELS_PAGE.format(
        pose=pose, classification=markdown_table(header, rows), coco=COCO_FOLDER, imagenet=IMAGENET_FOLDER
    )


_MODELS_PAGE = """<!-- Written by tools/make_docs.py. -->

# Networks of the paper

Each network stands above its dynamic form (DY). Parameters and multiply-adds (MAdds, half of the FLOPs) are counted,
in the paper's accounting, by `python tools/complexity.py CONFIG`; `python tools/complexity.py --paper` holds them
against the paper's.

What is marked "(paper)" is what the paper states, no result of this project: P marks what is published and confirmed
from a second source, R what is recalled from the paper's tables and not confirmed cell by cell, a dash what is not
classified. What is named "our" is what this project measured; a dash means that it has not.

## Keypoints

COCO at 256x192. Type A has three deconvolutions as its head, type B light bottlenecks, which are dynamic too where the
network is. The paper's AP is that on val2017 with the boxes of a person detector. Train and evaluate a network with

```bash
CONFIG={coco}/NAME.py
python tools/train.py $CONFIG
python tools/test.py $CONFIG CHECKPOINT
```

{pose}
[Ablations](ablations.md) vary one of them. `{coco}` also has networks
that are not in the paper.

## Classification

ImageNet, 1000 classes, at 224x224; [Classification](classification.md) says how to install and to use what it needs.

```bash
CONFIG={imagenet}/NAME.py
python tools/train.py $CONFIG
python tools/test.py $CONFIG CHECKPOINT
```

{classification}"""


def _link(folder: Path, config_name: str) -> str:
    return f'[`{config_name}`](../{folder.as_posix()}/{config_name}.py)'


def _score(root: Path, config_name: str, metric: str = 'coco/AP') -> str:
    """A score in percent that was measured here, or a dash. MMPose states an AP as a share, MMPretrain in percent."""
    run = measured(root, config_name)
    return '-' if run is None else f'{run["metrics"][metric] * (100 if metric == "coco/AP" else 1):.1f}'


#: The columns of :func:`_costs`.
_COSTS = ('params', 'backbone', 'head', 'MAdds', 'backbone', 'head')


def _costs(cost: Complexity) -> list[str]:
    """Parameters and multiply-adds, each of the whole, the backbone and the head."""
    parts = [cost, cost.part('backbone'), cost.part('head')]
    return [f'{part.params / 1e6:.2f}M' for part in parts] + [f'{part.madds / 1e6:.1f}M' for part in parts]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key with which ``'k2'`` comes before ``'k10'``."""
    return [(int(part), '') if part.isdigit() else (0, part) for part in re.split(r'(\d+)', name)]


#: What is generated, by its place in the project.
PAGES: dict[str, Callable[[Path], str]] = {
    'benchmarks/README.md': benchmarks_page,
    'docs/ablations.md': ablations_page,
    'docs/attention.md': attention_page,
    'docs/coco_run.md': coco_run_page,
    'docs/experiments.md': experiments_page,
    'docs/models.md': models_page,
    'docs/operator.md': operator_page,
    'docs/robustness.md': robustness_page,
    'docs/trained.md': trained_page,
    **{f'{folder.as_posix()}/metafile.yml': partial(pose_metafile, folder=folder) for folder in POSE_FOLDERS},
    f'{IMAGENET_FOLDER.as_posix()}/metafile.yml': imagenet_metafile,
    'model-index.yml': model_index,
}
