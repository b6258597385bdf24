"""The check of a config's data files before training, testing or scoring: they exist and keep every rule.

``tools/dataset_converters/check_dataset.py`` reports everything about them, warnings too, and can decode the images.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from dyconv_pose import registration  # noqa: F401  MMPose, importable

from .annotations import AnnotationTable, Finding, read_annotations
from .rules import check_annotations, check_detections, missing_images

SPLITS = ('train', 'val', 'test')


def check_data(config: Config, splits: Sequence[str]) -> None:
    """Stops at the first broken rule of the named splits; datasets with a format of their own are only looked for.

    Raises:
        FileNotFoundError: A file or folder is missing.
        ValueError: A rule is broken, or the config names a dataset or metadata that does not exist.
    """
    require_files(config, splits)
    for split, dataset in split_datasets(config, splits):
        _, errors = dataset_errors(dataset)
        if errors:
            more = f', and there are {len(errors) - 1} more kinds of error' if len(errors) > 1 else ''
            raise ValueError(
                f'The {split} data cannot be used: in "{errors[0].file}" {errors[0].sentence}{more}: correct the file; '
                f'"python tools/dataset_converters/check_dataset.py {config.filename or "CONFIG"}" lists everything.'
            )


def require_files(config: Config, splits: Sequence[str] = SPLITS) -> None:
    """Raises a FileNotFoundError where an annotation file, image folder or file of detector boxes is missing."""
    for split, dataset in split_datasets(config, splits):
        annotations, folders, detections = paths_of(dataset)
        places = [(annotations, 'annotation file' if dataset.get('ann_file') else 'folder', '')]
        places += [(folder, 'image folder', '') for folder in folders]
        places += [(detections, 'detector boxes', ', or evaluate with --gt-boxes')] if detections else []
        for path, kind, alternative in places:
            if not path.exists():
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
            if not inner:
                yield split, dataset


def datasets_within(dataset: Config) -> list[Config]:
    """The datasets that a CombinedDataset, RepeatDataset or the like is made of; none where it is none of them."""
    return dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])


def paths_of(dataset: Config) -> tuple[Path, list[Path], Path | None]:
    """The annotation file, the image folders and the file of detector boxes."""
    root = Path(dataset.get('data_root') or '')
    folders = [root / prefix for prefix in (dataset.get('data_prefix') or {}).values()]
    return root / dataset.get('ann_file', ''), folders, Path(dataset['bbox_file']) if dataset.get('bbox_file') else None


def dataset_errors(dataset: Config) -> tuple[AnnotationTable | None, list[Finding]]:
    """The annotations of one dataset, where they can be read as COCO's format, and what is wrong with its files."""
    names = keypoint_names(dataset)
    if names is None:
        return None, []
    annotations, folders, detections = paths_of(dataset)
    table, errors = read_annotations(annotations, len(names))
    if table is not None:
        errors = check_annotations(table, names, is_scored=bool(dataset.get('test_mode', False)))
        if folders:
            errors += missing_images(table, folders[0], needed_images(dataset, table))
    errors = [replace(error, file=str(annotations)) for error in errors]
    if detections and table is not None:
        errors += [replace(error, file=str(detections)) for error in check_detections(detections, table)]
    return table, errors


def needed_images(dataset: Config, table: AnnotationTable) -> np.ndarray:
    """(I,) bool: top-down datasets read the images with persons only, unless a detector says where persons are."""
    is_topdown = dataset.get('data_mode', 'topdown') == 'topdown' and not dataset.get('bbox_file')
    return table.has_persons() if is_topdown else np.ones(len(table.image_ids), bool)


def keypoint_names(dataset: Config) -> list[str] | None:
    """The names of a dataset's keypoints; ``None`` where its class reads more than COCO's format."""
    init_default_scope('mmpose')
    kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else dataset.get('type')
    if kind is None:
        raise ValueError(f"A dataset of the config has an unknown type, got {dataset.get('type')!r}: see MMPose's.")
    reads = ('load_data_list', '_load_annotations', 'parse_data_info')
    if not issubclass(kind, BaseCocoStyleDataset) or any(
        getattr(kind, name) is not getattr(BaseCocoStyleDataset, name) for name in reads
    ):
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The metainfo config file')  # found in the installed MMPose
        try:
            metainfo = parse_pose_metainfo(dict(dataset.get('metainfo') or kind.METAINFO))
        except (AssertionError, KeyError, TypeError) as error:
            raise ValueError(f'The metainfo of {kind.__name__} in the config is not complete: {error!r}') from error
    return [metainfo['keypoint_id2name'][k] for k in range(metainfo['num_keypoints'])]
