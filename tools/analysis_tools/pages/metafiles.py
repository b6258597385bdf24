"""The files in which OpenMMLab's tools look up models: ``metafile.yml`` beside the configs, and ``model-index.yml``."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from analysis_tools.costs.paper import IMAGENET

from .networks import COCO_FOLDER, IMAGENET_FOLDER, POSE_FOLDERS, TAIL, counted, measured, paper_ap

_HEAD = """# Written by tools/analysis_tools/make_docs.py.
# Counted, in the paper's accounting: Parameters and FLOPs (two per multiply-add).
# Measured by this project: Results. Stated by the paper: what is named "Paper ..." (P: published, R: recalled).
"""

_DYNAMIC, _STATIC = 'Dynamic Convolution', 'Static Twins of Dynamic Convolution'
_TITLE, _URL = 'Dynamic Convolution: Attention over Convolution Kernels', 'https://arxiv.org/abs/1912.03458'
_COLLECTIONS = [dict(Name=_DYNAMIC, Paper=dict(Title=_TITLE, URL=_URL)), dict(Name=_STATIC)]

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


def metafiles(root: Path) -> dict[Path, str]:
    """Every metafile and the index of them, as YAML by its path from the project's folder."""
    files = {folder / 'metafile.yml': _pose_metafile(root, folder) for folder in POSE_FOLDERS}
    files[IMAGENET_FOLDER / 'metafile.yml'] = _imagenet_metafile(root)
    index = dict(Import=[path.as_posix() for path in files])
    return {path: _yaml(content) for path, content in {**files, Path('model-index.yml'): index}.items()}


def _pose_metafile(root: Path, folder: Path) -> dict:
    models = []
    for path in sorted((root / folder).glob('*.py')):
        stated = paper_ap(path.stem)
        paper = {} if stated is None else {'Paper AP': stated[0], 'Paper AP Mark': stated[1]}
        cost = counted(root)['keypoints'][(folder / path.name).as_posix()]
        models.append(_model(root, folder / path.name, cost, paper, 'Body 2D Keypoint', _POSE_METRICS))
    return dict(Collections=_COLLECTIONS, Models=models) if folder == COCO_FOLDER else dict(Models=models)


def _imagenet_metafile(root: Path) -> dict:
    models = []
    for row in IMAGENET:
        for is_dynamic in (False, True):
            path = IMAGENET_FOLDER / f'{"dy-" if is_dynamic else ""}{row.config}.py'
            paper = {'Paper Top 1 Accuracy': row.top1[is_dynamic]} | ({'Paper Mark': row.mark} if row.mark else {})
            cost = counted(root)['imagenet'][path.as_posix()]
            models.append(_model(root, path, cost, paper, 'Image Classification', _CLASS_METRICS))
    return dict(Models=models)


def _model(root: Path, config: Path, cost: Mapping, paper: Mapping, task: str, metrics: Mapping[str, str]) -> dict:
    names = [*cost['architecture'], 'Dynamic Convolution'] if cost['dynamic'] else cost['architecture']
    # the last part of a config's name, such as 'coco+lspet-128x96' or 'in1k', has the data sets
    datasets = [_DATASETS.get(x, x) for x in config.stem.rpartition('_')[2].partition('-')[0].split('+')]
    metadata = {
        'Architecture': names,
        'Training Data': datasets if len(datasets) > 1 else datasets[0],
        'Parameters': cost['params'],
        'FLOPs': round(2 * cost['madds']),
        **paper,
    }
    collection = _DYNAMIC if cost['dynamic'] else _STATIC
    model = {'Name': config.stem, 'In Collection': collection, 'Config': config.as_posix(), 'Metadata': metadata}
    run = measured(root, config.stem)
    if run is None:
        return model
    dataset = datasets[0]
    if dataset == 'COCO' and not config.stem.endswith(TAIL):
        dataset = 'COCO, in part'  # the recipes for small sets, which take whatever there is of it
    scores = {name: round(run['metrics'][key], 4) for name, key in metrics.items() if key in run['metrics']}
    return model | {'Results': [dict(Task=task, Dataset=dataset, Metrics=scores, Run=run['title'])]}


class _Dumper(yaml.SafeDumper):
    """Writes what stands in two places twice, not as an alias, and indents the entries of lists."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _yaml(content: dict) -> str:
    return _HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120)
