"""The check of a config's data before training, testing or scoring: its files exist and keep every rule.

``tools/dataset_converters/check_dataset.py`` reports everything about them, warnings too, and can decode the images.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

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

from . import rules
from .rules import AnnotationTable, Finding

#: How many images' sizes the check before a training looks at, spread over the file.
_SAMPLE = 2000


class Part(NamedTuple):
    """A dataset of a split, what the split's loader reads, which may be made of several, its metrics and metadata."""

    split: str
    dataset: Config
    whole: Config
    evaluator: dict | list | None
    metainfo: dict | None
    is_upright: bool  # images are read with EXIF's rotation applied, by the settings of LoadImage

    @property
    def paths(self) -> tuple[Path, list[Path], Path | None]:
        """The annotation file, the image folders and the file of detector boxes."""
        root, boxes = Path(self.dataset.get('data_root') or ''), self.dataset.get('bbox_file')
        folders = [root / prefix for prefix in (self.dataset.get('data_prefix') or {}).values()]
        return root / self.dataset.get('ann_file', ''), folders, Path(boxes) if boxes else None

    def coco_metrics(self) -> list[dict]:
        """Its CocoMetrics; a ValueError for one that the installed COCO evaluation cannot compute."""
        found, outer = [], self.evaluator if isinstance(self.evaluator, list | tuple) else [self.evaluator or {}]
        for metric in chain(*(one.get('metrics') or [one] for one in outer)):  # also those of a MultiDatasetEvaluator
            kind = metric.get('type')
            kind = METRICS.get(kind) if isinstance(kind, str) else kind
            if isinstance(kind, type) and issubclass(kind, CocoMetric):
                is_whole_body = issubclass(kind, CocoWholeBodyMetric)
                COCOeval(iouType='keypoints_wholebody' if is_whole_body else metric.get('iou_type', 'keypoints'))
                found.append(metric)
        return found

    def needed_images(self, table: AnnotationTable) -> np.ndarray:
        """(I,) bool: top-down datasets read the images with persons only, unless a detector says where persons are."""
        is_topdown = self.dataset.get('data_mode', 'topdown') == 'topdown' and not self.dataset.get('bbox_file')
        return table.has_person if is_topdown else np.ones(len(table.image_ids), bool)


def split_datasets(config: Config, splits: Sequence[str]) -> Iterator[Part]:
    """Every dataset of the splits and of hooks, also those within CombinedDataset, RepeatDataset and the like."""
    sources = [(split, config.get(f'{split}_dataloader'), config.get(f'{split}_evaluator')) for split in splits]
    if any(loader for split, loader, _ in sources if split != 'train'):
        hooks = [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]
        hooks = [hook for hook in hooks if hook and hook.get('type') == 'FurtherValidationHook']
        sources += [('further validation', hook.get('dataloader'), hook.get('evaluator')) for hook in hooks]
    for split, loader, evaluator in sources:
        waiting = [loader['dataset']] if loader else []
        while waiting:
            dataset = waiting.pop(0)
            metainfo = read_metainfo(dataset)  # checked in each, and the outermost one's counts
            if inner := datasets_within(dataset):
                waiting = [*inner, *waiting]
            else:
                whole = loader['dataset']
                is_upright = not re.search('ignore_orientation|unchanged|turbojpeg', str(whole))
                yield Part(split, dataset, whole, evaluator, read_metainfo(whole) or metainfo, is_upright)


def datasets_within(dataset: Config) -> list[Config]:
    """The datasets that a CombinedDataset, RepeatDataset or the like is made of; none where it is none of them."""
    return dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])


def parts_to_check(config: Config, splits: Sequence[str]) -> list[Part]:
    """The datasets of the splits, each with the same files, metrics and way of reading once.

    A FileNotFoundError is raised where a file or folder is missing, a ValueError for unusable metadata or metrics.
    """
    parts = {}
    for part in split_datasets(config, splits):
        annotations, folders, detections = part.paths
        places = {annotations: 'annotation file' if part.dataset.get('ann_file') else 'folder'}
        for path, kind in (places | dict.fromkeys(folders, 'image folder') | {detections: 'detector boxes'}).items():
            if path and not path.exists():
                alternative = ', or evaluate with --gt-boxes' if path == detections else ''
                rule = f'The {part.split} set needs its {kind} at "{path}", where nothing is'
                raise FileNotFoundError(f'{rule}: put or link the dataset there (docs/data.md){alternative}.')
        key = [part.dataset.get(name) for name in ('type', 'metainfo', 'data_mode')]
        key += [part.paths, part.coco_metrics(), part.is_upright, 'KeypointConverter' in f'{part.whole}']
        parts.setdefault(repr(key), part)
    return list(parts.values())


def check_data(config: Config, splits: Sequence[str]) -> None:
    """Raises a FileNotFoundError or ValueError for what is missing or wrong; of other formats, for what is missing."""
    for part in parts_to_check(config, splits):
        _check_head(config, part)
        _, errors = dataset_errors(part)
        if errors:
            more = f', and there are {len(errors) - 1} more kinds of error' if len(errors) > 1 else ''
            rule = f'The {part.split} data cannot be used: in "{errors[0].file}" {errors[0].sentence}{more}'
            tool = f'python tools/dataset_converters/check_dataset.py {config.filename or "CONFIG"}'
            raise ValueError(f'{rule}: correct the file; "{tool}" lists everything.')


def _check_head(config: Config, part: Part) -> None:
    """Refuses a head that has not one output for each keypoint of the dataset."""
    head = (config.model.get('head') if config.model.get('type') == 'TopdownPoseEstimator' else None) or {}
    decoder = head.get('decoder')
    if 'out_channels' not in head or not isinstance(decoder, dict) or decoder.get('heatmap_type') == 'combined':
        return
    is_mapped = 'KeypointConverter' in f'{part.whole}' or 'converter' in f'{part.evaluator}'  # to those of the head
    if not is_mapped and part.metainfo and head.out_channels != (count := part.metainfo['num_keypoints']):
        given = f'got out_channels={head.out_channels} for the {count} keypoints of the {part.split} set'
        remedy = f'set model.head.out_channels={count}, or map the keypoints by a KeypointConverter'
        raise ValueError(f'The head must have one output for each keypoint, {given}: {remedy}.')


def dataset_errors(part: Part) -> tuple[AnnotationTable | None, list[Finding]]:
    """The annotations of a dataset, where they can be read as COCO's format, and what is wrong with its files."""
    dataset, names, metrics = part.dataset, keypoint_names(part.dataset), part.coco_metrics()
    if names is None:
        return None, []
    if metrics and not len(part.metainfo['sigmas']):
        raise ValueError(f'CocoMetric needs sigmas, and the metainfo of {dataset.type} has none: score by PCKAccuracy.')
    annotations, folders, detections = part.paths
    own = [one for one in metrics if Path(one.get('ann_file') or annotations).resolve() == annotations.resolve()]
    table, errors = rules.read_annotations(annotations, len(names))
    found = [(annotations, errors)]
    if table is not None:
        errors += rules.check_annotations(table, names, bool(own), any(one.get('use_area', True) for one in own))
        if folders:
            is_needed = part.needed_images(table)
            sample = np.flatnonzero(is_needed)[:: max(is_needed.sum() // _SAMPLE, 1)]
            sizes = rules.size_findings(table, folders[0], sample, part.is_upright)
            errors += rules.missing_images(table, folders[0], is_needed)
            errors += [one for one in sizes if one.severity == 'error']
        if detections:
            found.append((detections, rules.check_detections(detections, table)))
        if part.whole is dataset and 'KeypointConverter' not in str(dataset):
            others = [one for one in metrics if one not in own and not one.get('gt_converter')]
            found += [(one['ann_file'], _truth_errors(one, table, names)) for one in others]
    return table, [replace(error, file=str(file)) for file, errors in found for error in errors]


def _truth_errors(metric: dict, table: AnnotationTable, names: Sequence[str]) -> list[Finding]:
    """The errors of a file that is not the test set's and that its predictions are scored against."""
    truth, errors = rules.read_annotations(metric['ann_file'], len(names))
    if truth is None:
        return errors
    lost = table.image_ids[table.has_person & ~np.isin(table.image_ids, truth.image_ids)]
    other = np.setdiff1d(table.category_ids[table.is_person], truth.category_ids[truth.is_person])
    return rules.check_annotations(truth, names, True, metric.get('use_area', True)) + rules.findings_of([
        ('unknown-image', 'images of the test set are not in the annotations of its metric', lost, 'image'),
        ('category', "categories of the test set's persons are not those of its metric", other, 'category'),
    ])  # fmt: skip


def _kind_of(dataset: Config) -> type:
    init_default_scope('mmpose')
    kind = dataset.get('type')
    found = DATASETS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise ValueError(f"A dataset of the config has an unknown type, got {kind!r}: see MMPose's.")
    return found


def keypoint_names(dataset: Config) -> list[str] | None:
    """The names of a dataset's keypoints; ``None`` where its class reads more than COCO's format."""
    kind, readers = _kind_of(dataset), attrgetter('load_data_list', '_load_annotations', 'parse_data_info')
    if not issubclass(kind, BaseCocoStyleDataset) or readers(kind) != readers(BaseCocoStyleDataset):
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
    if 'from_file' in stated and not Path(stated['from_file']).is_file():
        return metainfo
    names, flips, count = metainfo['keypoint_id2name'], metainfo['flip_indices'], metainfo['num_keypoints']
    lengths = {'sigmas': len(metainfo['sigmas']) or count, 'joint_weights': len(metainfo['dataset_keypoint_weights'])}
    wrong = [f'{key} must be {count} numbers, as keypoints, got {n}' for key, n in lengths.items() if n != count]
    if list(names) != list(range(count)) or len(set(names.values())) != count:
        wrong.append(f'{count} keypoints must have the ids 0 to {count - 1} in order and different names, got {names}')
    elif one_way := [k for k in range(count) if flips[flips[k]] != k]:
        first, second = names[one_way[0]], names[flips[one_way[0]]]
        wrong.append(f'swaps must go both ways, and "{first}" names "{second}", which names another')
    if wrong:
        raise ValueError(f'In the metainfo of the dataset "{metainfo["dataset_name"]}" {wrong[0]:.400}: correct it.')
    return metainfo
