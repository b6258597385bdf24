"""Checks the data files that a config names, without building MMPose's data sets.

:func:`check_config` finds everything, :func:`stop_at_errors` turns it into what training does about it: an error
stops with one sentence, a warning is a line of the log. Training and testing look for the files and at the
annotations; ``tools/check_dataset.py`` prints all of it, and can decode the images too.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from .annotations import AnnotationTable, read_annotations
from .detections import check_detections
from .findings import ERROR, WARNING, Finding
from .images import check_images
from .rules import Context, check_table

SPLITS = ('train', 'val', 'test')

_REMEDY = 'put or link the data set there (docs/data.md)'


def leaf_datasets(dataset: Config) -> Iterator[Config]:
    """The data sets within wrappers such as CombinedDataset and RepeatDataset, or the data set itself."""
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    if not inner:
        yield dataset
    for part in inner:
        yield from leaf_datasets(part)


def require_files(config: Config, splits: Sequence[str] = SPLITS) -> None:
    """Looks for the annotation files, image folders and detector boxes of the named splits.

    Raises:
        FileNotFoundError: One is missing.
    """
    for split in splits:
        for dataset in _split_datasets(config, split):
            annotations, folders, detections = _paths(dataset)
            _require(split, annotations, 'annotation file' if dataset.get('ann_file') else 'folder')
            for folder in folders:
                _require(split, folder, 'image folder')
            if detections:
                _require(split, detections, 'detector boxes', 'or evaluate with --gt-boxes')


def check_config(
    config: Config,
    splits: Sequence[str] = SPLITS,
    decode_images: bool = False,
    on_progress: Callable[[str, int], None] | None = None,
) -> list[Finding]:
    """Checks the data of a config.

    Args:
        config: A config as MMPose's tools take it.
        splits: Which of ``'train'``, ``'val'`` and ``'test'``.
        decode_images: Whether to decode every image, which takes minutes where looking for it takes seconds.
        on_progress: Called with the image folder and the number of its images that were decoded.

    Returns:
        What is wrong, errors first within each file. A file that several splits share is checked once. Data sets
        with a format of their own are only looked for.

    Raises:
        FileNotFoundError: A file or folder is missing.
        ValueError: The config names a data set or metadata that does not exist.
    """
    require_files(config, splits)
    findings, seen = [], set()
    for split in splits:
        for dataset in _split_datasets(config, split):
            key = repr((_paths(dataset), dataset.get('test_mode', False)))
            if key not in seen:
                seen.add(key)
                findings += [replace(found, split=split) for found in _check(dataset, decode_images, on_progress)]
    return findings


def stop_at_errors(findings: Sequence[Finding], config_name: str = 'CONFIG') -> list[str]:
    """Raises what stops a run and returns the rest as lines for the log.

    Args:
        findings: Of :func:`check_config`.
        config_name: The config file, for the remedy.

    Returns:
        A line for every warning.

    Raises:
        ValueError: There is an error; the first is named.
    """
    errors = [found for found in findings if found.severity == ERROR]
    if errors:
        first = errors[0]
        more = f', and there are {len(errors) - 1} more kinds of error' if len(errors) > 1 else ''
        raise ValueError(
            f'The {first.split} data cannot be used: in "{first.file}" {first.sentence}{more}: correct the file; '
            f'"python tools/check_dataset.py {config_name}" lists everything.'
        )
    return [
        f'Check of the {found.split} data, "{found.file}": {found.sentence}.'
        for found in findings
        if found.severity == WARNING
    ]


def _split_datasets(config: Config, split: str) -> Iterator[Config]:
    loader = config.get(f'{split}_dataloader')
    return leaf_datasets(loader['dataset']) if loader else iter(())


def _paths(dataset: Config) -> tuple[Path, list[Path], Path | None]:
    """The annotation file, the image folders and the file of detector boxes."""
    root = Path(dataset.get('data_root') or '')
    folders = [root / prefix for prefix in (dataset.get('data_prefix') or {}).values()]
    return root / dataset.get('ann_file', ''), folders, Path(dataset['bbox_file']) if dataset.get('bbox_file') else None


def _require(split: str, path: Path, kind: str, alternative: str = '') -> None:
    if not path.exists():
        raise FileNotFoundError(
            f'The {split} set needs its {kind} at "{path}", where nothing is: {_REMEDY}'
            f'{", " + alternative if alternative else ""}.'
        )


def _check(dataset: Config, decode: bool, on_progress: Callable[[str, int], None] | None) -> list[Finding]:
    kind = _dataset_class(dataset)
    if not _reads_plain_coco(kind):
        return []
    metainfo = _metainfo(dataset, kind)
    names = [metainfo['keypoint_id2name'][k] for k in range(metainfo['num_keypoints'])]
    annotations, folders, detections = _paths(dataset)
    table, findings = read_annotations(annotations, len(names))
    findings = [replace(found, file=str(annotations)) for found in findings]
    if table is None:
        return findings
    context = Context(names, is_scored=bool(dataset.get('test_mode', False)))
    findings += [replace(found, file=str(annotations)) for found in check_table(table, context)]
    if folders:
        progress = None if on_progress is None else partial(on_progress, str(folders[0]))
        found = check_images(folders[0], table, _needed_images(table, dataset), decode, progress)
        findings += [replace(one, file=str(annotations)) for one in found]
    if detections:
        findings += [replace(found, file=str(detections)) for found in check_detections(detections, table)]
    return findings


def _dataset_class(dataset: Config) -> type:
    init_default_scope('mmpose')
    kind = dataset.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if kind is None:
        raise ValueError(f"A data set of the config has an unknown type, got {dataset.get('type')!r}: see MMPose's.")
    return kind


def _reads_plain_coco(kind: type) -> bool:
    """Whether a data set's class reads COCO's format as it is; COCO-WholeBody and others add parts of their own."""
    return issubclass(kind, BaseCocoStyleDataset) and all(
        getattr(kind, name) is getattr(BaseCocoStyleDataset, name)
        for name in ('load_data_list', '_load_annotations', 'parse_data_info')
    )


def _metainfo(dataset: Config, kind: type) -> dict:
    metainfo = dataset.get('metainfo') or kind.METAINFO
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The metainfo config file')  # found in the installed MMPose
        try:
            return parse_pose_metainfo(dict(metainfo))
        except (AssertionError, KeyError, TypeError) as error:
            raise ValueError(f'The metainfo of {kind.__name__} in the config is not complete: {error!r}') from error


def _needed_images(table: AnnotationTable, dataset: Config) -> np.ndarray:
    """(I,) bool: top-down data sets read the images with persons only, unless a detector says where persons are."""
    if dataset.get('bbox_file') or dataset.get('data_mode', 'topdown') != 'topdown':
        return np.ones(len(table.file_names), dtype=bool)
    needed = np.zeros(len(table.file_names), dtype=bool)
    needed[table.image_rows[table.is_person & (table.image_rows >= 0)]] = True
    return needed
