"""The files in which OpenMMLab's tools look up models: ``metafile.yml`` beside the configs, and ``model-index.yml``."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from .costs import Complexity
from .estimators import read_config
from .paper import IMAGENET
from .zoo import COCO_FOLDER, IMAGENET_FOLDER, SYNTHETIC_FOLDER, TAIL, cost_of, imagenet_cost, measured, paper_ap

#: Folders with experiments on keypoints.
POSE_FOLDERS = (COCO_FOLDER, COCO_FOLDER / 'ablations', SYNTHETIC_FOLDER)

_HEAD = """# Written by tools/make_docs.py.
# Counted, in the paper's accounting: Parameters and FLOPs (two per multiply-add).
# Measured by this project: Results. Stated by the paper: what is named "Paper ..." (P: published, R: recalled).
"""

_DYNAMIC, _STATIC = 'Dynamic Convolution', 'Static Twins of Dynamic Convolution'

_COLLECTIONS = [
    dict(
        Name=_DYNAMIC,
        Paper=dict(
            Title='Dynamic Convolution: Attention over Convolution Kernels', URL='https://arxiv.org/abs/1912.03458'
        ),
    ),
    dict(Name=_STATIC),
]

#: Names of data sets in the names of configs.
_DATASETS = {'coco': 'COCO', 'lspet': 'LSPET', 'synthetic': 'Synthetic', 'in1k': 'ImageNet-1k'}

#: What a score is called in a metafile, and by MMEngine.
_POSE_METRICS = {
    'AP': 'coco/AP',
    'AP@0.5': 'coco/AP .5',
    'AP@0.75': 'coco/AP .75',
    'AR': 'coco/AR',
    'AR@0.5': 'coco/AR .5',
}
_CLASS_METRICS = {'Top 1 Accuracy': 'accuracy/top1', 'Top 5 Accuracy': 'accuracy/top5'}


def pose_metafile(root: Path, folder: Path) -> str:
    """The metafile of the experiments on keypoints in a folder.

    Args:
        root: The project's folder.
        folder: The folder of the configs, from there.

    Returns:
        YAML.
    """
    models = []
    for path in sorted((root / folder).glob('*.py')):
        backbone, head = (read_config(path).model[part] for part in ('backbone', 'head'))
        names = [part.type.removeprefix('Dy') for part in (backbone.get('network', backbone), head)]
        datasets = _training_data(path.stem)
        stated = paper_ap(path.stem)
        paper = {} if stated is None else {'Paper AP': stated[0], 'Paper AP Mark': stated[1]}
        results = _results(root, path.stem, 'Body 2D Keypoint', datasets[0], _POSE_METRICS)
        models.append(_model(folder / path.name, names, datasets, cost_of(path), paper, results))
    return _yaml(dict(Collections=_COLLECTIONS, Models=models) if folder == COCO_FOLDER else dict(Models=models))


def imagenet_metafile(root: Path) -> str:
    """The metafile of the classification networks, dynamic and static, as YAML."""
    models = []
    for row in IMAGENET:
        for is_dynamic in (False, True):
            name = ('dy-' if is_dynamic else '') + row.config
            names = [row.backbone['type'].removeprefix('Dy')]
            paper = {'Paper Top 1 Accuracy': row.top1[is_dynamic]} | ({'Paper Mark': row.mark} if row.mark else {})
            datasets = _training_data(name)
            results = _results(root, name, 'Image Classification', datasets[0], _CLASS_METRICS)
            cost = imagenet_cost(row.name, is_dynamic)
            models.append(_model(IMAGENET_FOLDER / f'{name}.py', names, datasets, cost, paper, results))
    return _yaml(dict(Models=models))


def model_index(root: Path) -> str:
    """The list of all metafiles, as YAML."""
    return _yaml(dict(Import=[(folder / 'metafile.yml').as_posix() for folder in (*POSE_FOLDERS, IMAGENET_FOLDER)]))


def _model(
    config: Path, names: list[str], datasets: list[str], cost: Complexity, paper: Mapping, results: list[dict]
) -> dict:
    is_dynamic = any(layer.type == 'DyConv2d' for layer in cost.layers)
    metadata = {
        'Architecture': [*names, 'Dynamic Convolution'] if is_dynamic else names,
        'Training Data': datasets if len(datasets) > 1 else datasets[0],
        'Parameters': cost.params,
        'FLOPs': round(2 * cost.madds),
        **paper,
    }
    model = {
        'Name': config.stem,
        'In Collection': _DYNAMIC if is_dynamic else _STATIC,
        'Config': config.as_posix(),
        'Metadata': metadata,
    }
    return model | ({'Results': results} if results else {})


def _results(root: Path, config_name: str, task: str, dataset: str, names: Mapping[str, str]) -> list[dict]:
    run = measured(root, config_name)
    if run is None:
        return []
    if dataset == 'COCO' and not config_name.endswith(TAIL):
        dataset = 'COCO, in part'  # the recipes for small sets, which take whatever there is of it
    metrics = {name: round(run['metrics'][key], 4) for name, key in names.items() if key in run['metrics']}
    return [dict(Task=task, Dataset=dataset, Metrics=metrics, Run=run['title'])]


def _training_data(config_name: str) -> list[str]:
    """The data sets in the last part of a config's name, such as ``'coco+lspet-128x96'`` or ``'in1k'``."""
    return [_DATASETS.get(name, name) for name in config_name.rpartition('_')[2].partition('-')[0].split('+')]


class _Dumper(yaml.SafeDumper):
    """Writes what stands in two places twice, not as an alias, and indents the entries of lists."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _yaml(content: dict) -> str:
    return _HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120)
