"""Whether the files of COCO 2017 keypoints are whole: what has to be there, how much of it, and the archives' sums.

The counts are those of the release. The archives' MD5 sums are not published by COCO itself; each stands, alike, in
the download programs of several independent public projects, PaddleDetection's and MLCommons' among them. For the
extracted files and the file of detector boxes no sum could be confirmed, so of those the contents are counted.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dyconv_pose.datasets.rules import AnnotationTable, Finding, findings_of, read_annotations
from dyconv_pose.files import read_json

_NUM_KEYPOINTS = 17
_BLOCK = 1 << 22  # bytes


@dataclass(frozen=True)
class Split:
    """What one part of the release holds.

    Attributes:
        name: Such as ``'train2017'``, which is also the image folder.
        images: Number of images.
        persons: Number of persons with at least one labelled keypoint, crowds left out: what is trained on or scored.
    """

    name: str
    images: int
    persons: int


@dataclass(frozen=True)
class Release:
    """A release of the data set.

    Attributes:
        splits: Its parts.
        detections: The file of detector boxes, from the root.
        boxes: How many boxes of persons it holds.
        md5: Sums of the archives, by name.
    """

    splits: tuple[Split, ...]
    detections: str
    boxes: int
    md5: dict[str, str]


COCO_2017 = Release(
    splits=(Split('train2017', 118_287, 149_813), Split('val2017', 5_000, 6_352)),
    detections='person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
    # as logs of public projects print it that load this file
    boxes=104_125,
    md5={
        'train2017.zip': 'cced6f7f71b7629ddf16f17bbcfab6b2',
        'val2017.zip': '442b8da7639aecaf257c1dceb8ba8c80',
        'annotations_trainval2017.zip': 'f4bbac642086de4f52a3fdda2de5fa2c',
    },
)


def check_release(
    root: str | Path,
    archives: str | Path | None = None,
    release: Release = COCO_2017,
    say: Callable[[str], None] = lambda line: None,
) -> list[Finding]:
    """Checks a data set's folder against a release.

    Args:
        root: The folder, such as ``data/coco``.
        archives: A folder with downloaded archives whose sums are to be checked; those that are not there are told of.
        release: What should be there.
        say: Told of everything that is in order.

    Returns:
        What is wrong.
    """
    root = Path(root)
    findings = []
    for split in release.splits:
        path = root / 'annotations' / f'person_keypoints_{split.name}.json'
        findings += _at(path, split, _check_annotations(path, root / split.name, split, say))
    path = root / release.detections
    findings += _at(path, release.splits[-1], _check_detections(path, release.boxes, say))
    for name, expected in release.md5.items() if archives is not None else ():
        path = Path(archives) / name
        found = _check_archive(path, expected, say)
        findings += [replace(one, file=str(path), split='archives') for one in found]
    return findings


def md5_of(path: str | Path) -> str:
    """The MD5 sum of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _at(path: Path, split: Split, findings: list[Finding]) -> list[Finding]:
    return [replace(found, file=found.file or str(path), split=split.name) for found in findings]


def _check_annotations(path: Path, folder: Path, split: Split, say: Callable[[str], None]) -> list[Finding]:
    if not path.is_file():
        return [Finding('missing', 'the file is not there: it is in annotations_trainval2017.zip')]
    table, findings = read_annotations(path, _NUM_KEYPOINTS)
    if table is None:
        return findings
    counted = (('images', len(table.image_ids), split.images), ('persons', _count_persons(table), split.persons))
    for what, found, expected in counted:
        if found != expected:
            findings.append(Finding('count', f'{what} must be {expected:,}, the file has {found:,}'))
        else:
            say(f'{path}: {found:,} {"images" if what == "images" else "persons with labelled keypoints"}')
    return findings + _check_images(folder, table.file_names, say)


def _count_persons(table: AnnotationTable) -> int:
    return int(np.sum((table.numbers['num_keypoints'] > 0) & ~(table.numbers['iscrowd'] == 1)))


def _check_images(folder: Path, names: list[str], say: Callable[[str], None]) -> list[Finding]:
    """Looks for every image by name, and for empty files, in one reading of the folder."""
    if not folder.is_dir():
        return [Finding('missing', 'the image folder is not there', file=str(folder))]
    with os.scandir(folder) as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    missing = [name for name in names if name not in sizes]
    empty = [name for name in names if sizes.get(name) == 0]
    broken = [('missing-image', 'images are not there', missing, 'image')]
    findings = findings_of([*broken, ('empty-image', 'images are empty files', empty, 'image')])
    if not findings:
        say(f'{folder}: all {len(names):,} images, {sum(sizes[name] for name in names) / 1e9:.2f} GB')
    return [replace(found, file=str(folder)) for found in findings]


def _check_detections(path: Path, expected: int, say: Callable[[str], None]) -> list[Finding]:
    if not path.is_file():
        missing = 'the detector boxes are not there: get them as the documentation of MMPose says, or use --gt-boxes'
        return [Finding('missing', missing, severity='warning')]
    try:
        content = read_json(path, 'detections')
    except ValueError as error:
        return [Finding('json', str(error))]
    if not isinstance(content, list):
        return [Finding('form', f'the detector boxes must be a list, the file holds a {type(content).__name__}')]
    boxes = sum(isinstance(entry, dict) and entry.get('category_id') == 1 for entry in content)
    if boxes != expected:
        return [Finding('count', f'boxes of persons must be {expected:,}, the file has {boxes:,}')]
    say(f'{path}: {boxes:,} boxes of persons')
    return []


def _check_archive(path: Path, expected: str, say: Callable[[str], None]) -> list[Finding]:
    if not path.is_file():
        return [Finding('missing', 'the archive is not there', severity='warning')]
    if (found := md5_of(path)) != expected:
        return [Finding('md5', f'the MD5 sum must be {expected}, it is {found}: get the archive again')]
    say(f'{path}: MD5 {found}')
    return []
