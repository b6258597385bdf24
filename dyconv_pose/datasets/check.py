"""The check of a config's data files before training, testing or scoring: they exist and keep every rule.

``tools/dataset_converters/check_dataset.py`` reports everything about them, warnings too, and can decode the images.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dyconv_pose import registration  # noqa: F401  MMPose, importable

# isort: split

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import CocoMetric, CocoWholeBodyMetric
from mmpose.evaluation.metrics.coco_metric import COCOeval
from mmpose.registry import DATASETS, METRICS

from .annotations import AnnotationTable, Finding, findings_of, read_annotations
from .image_sizes import size_findings
from .result_rules import check_detections
from .rules import check_annotations, check_metainfo, missing_images

SPLITS = ('train', 'val', 'test')

#: How many images' sizes the check before a training looks at, spread over the file.
_SAMPLE = 2000


def check_data(config: Config, splits: Sequence[str]) -> None:
    """Raises a FileNotFoundError or ValueError for the first thing that is missing or wrong in the named splits.

    Datasets with a format of their own are only looked for.
    """
    require_files(config, splits)
    for split, dataset in split_datasets(config, splits):
        _, errors = dataset_errors(config, split, dataset)
        if errors:
            more = f', and there are {len(errors) - 1} more kinds of error' if len(errors) > 1 else ''
            raise ValueError(
                f'The {split} data cannot be used: in "{errors[0].file}" {errors[0].sentence}{more}: correct the file; '
                f'"python tools/dataset_converters/check_dataset.py {config.filename or "CONFIG"}" lists everything.'
            )


def require_files(config: Config, splits: Sequence[str] = SPLITS) -> None:
    """Looks for the annotation files, image folders and detector boxes of the named splits.

    Raises:
        FileNotFoundError: One is missing.
    """
    for split, dataset in split_datasets(config, splits):
        annotations, folders, detections = paths_of(dataset)
        places = {annotations: 'annotation file' if dataset.get('ann_file') else 'folder'}
        places |= dict.fromkeys(folders, 'image folder') | ({detections: 'detector boxes'} if detections else {})
        for path, kind in places.items():
            if not path.exists():
                alternative = ', or evaluate with --gt-boxes' if path == detections else ''
                raise FileNotFoundError(
                    f'The {split} set needs its {kind} at "{path}", where nothing is: put or link the dataset there '
                    f'(docs/data.md){alternative}.'
                )


def split_datasets(config: Config, splits: Sequence[str]) -> Iterator[tuple[str, Config]]:
    """Every dataset of the named splits, also those within CombinedDataset, RepeatDataset and the like."""
    for split in splits:
        waiting = [config[f'{split}_dataloader']['dataset']] if config.get(f'{split}_dataloader') else []
        while waiting:
            dataset = waiting.pop(0)
            inner = datasets_within(dataset)
            waiting = [*inner, *waiting]
            read_metainfo(dataset)  # a wrapper's counts too
            if not inner:
                yield split, dataset


def datasets_within(dataset: Config) -> list[Config]:
    """The datasets that a CombinedDataset, RepeatDataset or the like is made of; none where it is none of them."""
    return dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])


def coco_metrics(config: Config, split: str) -> list[dict]:
    """The CocoMetrics of a split; a ValueError for one that the installed COCO evaluation cannot compute."""
    metrics, waiting = [], config.get(f'{split}_evaluator') or []
    waiting = list(waiting) if isinstance(waiting, list | tuple) else [waiting]
    while waiting:
        one = waiting.pop()
        waiting += one.get('metrics') or []  # of MultiDatasetEvaluator
        kind = METRICS.get(one['type']) if isinstance(one.get('type'), str) else one.get('type')
        if isinstance(kind, type) and issubclass(kind, CocoMetric):
            is_whole_body = issubclass(kind, CocoWholeBodyMetric)
            COCOeval(iouType='keypoints_wholebody' if is_whole_body else one.get('iou_type', 'keypoints'))
            metrics.append(one)
    return metrics


def paths_of(dataset: Config) -> tuple[Path, list[Path], Path | None]:
    """The annotation file, the image folders and the file of detector boxes."""
    root = Path(dataset.get('data_root') or '')
    folders = [root / prefix for prefix in (dataset.get('data_prefix') or {}).values()]
    return root / dataset.get('ann_file', ''), folders, Path(dataset['bbox_file']) if dataset.get('bbox_file') else None


def dataset_errors(config: Config, split: str, dataset: Config) -> tuple[AnnotationTable | None, list[Finding]]:
    """The annotations of one dataset, where they can be read as COCO's format, and what is wrong with its files."""
    names, metrics = keypoint_names(dataset), coco_metrics(config, split)
    if names is None:
        return None, []
    whole = config[f'{split}_dataloader']['dataset']
    if metrics and not len((read_metainfo(whole) or read_metainfo(dataset))['sigmas']):
        raise ValueError(f'CocoMetric needs sigmas, and the metainfo of {dataset.type} has none: score by PCKAccuracy.')
    annotations, folders, detections = paths_of(dataset)
    own = [one for one in metrics if Path(one.get('ann_file') or annotations).resolve() == annotations.resolve()]
    table, errors = read_annotations(annotations, len(names))
    if table is not None:
        errors = check_annotations(table, names, bool(own), any(metric.get('use_area', True) for metric in own))
        if folders:
            is_needed = needed_images(dataset, table)
            errors += missing_images(table, folders[0], is_needed)
            rows = np.flatnonzero(is_needed)
            sizes = size_findings(table, folders[0], rows[:: max(len(rows) // _SAMPLE, 1)], is_upright(config, split))
            errors += [found for found in sizes if found.severity == 'error']
    errors = [replace(error, file=str(annotations)) for error in errors]
    if detections and table is not None:
        errors += [replace(error, file=str(detections)) for error in check_detections(detections, table)]
    if table is not None and whole is dataset and 'KeypointConverter' not in str(dataset):
        others = [metric for metric in metrics if metric not in own and not metric.get('gt_converter')]
        errors += [error for metric in others for error in _truth_errors(metric, table, names)]
    return table, errors


def _truth_errors(metric: dict, table: AnnotationTable, names: Sequence[str]) -> list[Finding]:
    """The errors of a file that is not the test set's and that its predictions are scored against."""
    truth, errors = read_annotations(metric['ann_file'], len(names))
    if truth is not None:
        errors = check_annotations(truth, names, True, metric.get('use_area', True))
        lost = table.image_ids[table.has_persons() & ~np.isin(table.image_ids, truth.image_ids)]
        other = np.setdiff1d(table.category_ids[table.is_person], truth.category_ids[truth.is_person])
        errors += findings_of([
            ('unknown-image', 'images of the test set are not in the annotations of its metric', lost, 'image'),
            ('category', "categories of the test set's persons are not those of its metric", other, 'category'),
        ])  # fmt: skip
    return [replace(error, file=str(metric['ann_file'])) for error in errors]


def is_upright(config: Config, split: str) -> bool:
    """Whether a split's images are read with EXIF's rotation applied, by the settings of LoadImage."""
    settings = str(config[f'{split}_dataloader']['dataset'])
    return not re.search('ignore_orientation|unchanged|turbojpeg', settings)


def needed_images(dataset: Config, table: AnnotationTable) -> np.ndarray:
    """(I,) bool: top-down datasets read the images with persons only, unless a detector says where persons are."""
    is_topdown = dataset.get('data_mode', 'topdown') == 'topdown' and not dataset.get('bbox_file')
    return table.has_persons() if is_topdown else np.ones(len(table.image_ids), bool)


def _kind_of(dataset: Config) -> type:
    init_default_scope('mmpose')
    kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else dataset.get('type')
    if kind is None:
        raise ValueError(f"A dataset of the config has an unknown type, got {dataset.get('type')!r}: see MMPose's.")
    return kind


def keypoint_names(dataset: Config) -> list[str] | None:
    """The names of a dataset's keypoints; ``None`` where its class reads more than COCO's format."""
    kind, reads = _kind_of(dataset), ('load_data_list', '_load_annotations', 'parse_data_info')
    if not issubclass(kind, BaseCocoStyleDataset) or any(
        getattr(kind, name) is not getattr(BaseCocoStyleDataset, name) for name in reads
    ):
        return None
    return list(read_metainfo(dataset)['keypoint_id2name'].values())


def read_metainfo(dataset: Config) -> dict | None:
    """The metadata of a dataset, as MMPose parses it; ``None`` where it has none of keypoints.

    A ValueError is raised where it breaks a rule. The files within MMPose, three of which do, are taken as they are.
    """
    kind = _kind_of(dataset)
    stated = dict(dataset.get('metainfo') or getattr(kind, 'METAINFO', None) or {})
    if not stated.keys() & {'from_file', 'keypoint_info'}:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The metainfo config file')  # found in the installed MMPose
        try:
            metainfo = parse_pose_metainfo(stated)
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'The metainfo of {kind.__name__} in the config is not complete: {error!r}') from error
    if 'from_file' not in stated or Path(stated['from_file']).is_file():
        check_metainfo(metainfo)
    return metainfo
