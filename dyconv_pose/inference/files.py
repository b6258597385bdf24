"""Persons from a file: annotated or detected boxes in COCO's formats."""

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np

from .types import Boxes, Picture


def read_json(path: str | Path, kind: str) -> object:
    """Reads a JSON file.

    Args:
        path: The file.
        kind: What it is called in messages, such as ``'boxes'``.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It is no JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The {kind} must be in an existing JSON file, got "{path}".')
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'The {kind} must be in a JSON file, and "{path}" is none: {error}.') from error


class CocoBoxes:
    """Boxes from COCO annotations (the persons' own) or from COCO detections, by the pictures' file names.

    From annotations, crowds and persons without a labelled keypoint are left out and boxes are cut at the picture's
    border, as MMPose's CocoDataset does; so the results score as its evaluation with annotated boxes does.

    Args:
        path: An annotation file, ``{"images": ..., "annotations": ...}``, or detections, ``[{"image_id": ..., "bbox":
            [x, y, width, height], "score": ..., "category_id": ...}, ...]``.
        annotations: For detections, the annotation file that says which file name belongs to which image id. Without
            it a picture's id is the number that its file name consists of, as in COCO.
        threshold: Detections that score less are left out.
        category_id: The category of persons.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is neither of the two.
    """

    def __init__(
        self, path: str | Path, annotations: str | Path | None = None, threshold: float = 0.0, category_id: int = 1
    ) -> None:
        self.path, self.category_id = Path(path), category_id
        content = read_json(path, 'boxes')
        self._rows: dict[int, list[list[float]]] = defaultdict(list)
        self._images: dict[int, dict] = {}
        try:
            if isinstance(content, dict) and 'annotations' in content:
                self._images = _index_images(content['images'])
                self._read_annotations(content['annotations'])
            elif isinstance(content, list):
                if annotations is not None:
                    self._images = _index_images(read_json(annotations, 'annotations')['images'])
                self._read_detections(content, threshold)
            else:
                raise KeyError('annotations')
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                f'The boxes must be COCO annotations (images, annotations) or COCO detections (a list of image_id, '
                f'bbox, score), and "{path}" is not: {type(error).__name__} {error}.'
            ) from error
        self._ids_by_name = dict(self._names())

    def find(self, picture: Picture) -> Boxes:
        """The boxes of the picture of that name; none if the file lists no person in it.

        Raises:
            ValueError: The file does not know the picture.
        """
        image_id = self.image_id(picture.name)
        if image_id is None:
            raise ValueError(
                f'The boxes in "{self.path}" must be of the pictures given, and "{picture.name}" is not there.'
            )
        self._check_size(picture, image_id)
        return Boxes.of(self._rows.get(image_id, []))

    def image_id(self, name: str) -> int | None:
        """The id of the picture of that file name, ``None`` if there is none."""
        parts = Path(name).parts
        for start in range(len(parts)):
            found = self._ids_by_name.get('/'.join(parts[start:]))
            if found is not None:
                return found
        stem = Path(name).stem
        return int(stem) if not self._images and stem.isascii() and stem.isdigit() else None

    def _names(self) -> list[tuple[str, int]]:
        return [(Path(image['file_name']).as_posix(), index) for index, image in self._images.items()]

    def _read_annotations(self, annotations: list[dict]) -> None:
        for annotation in annotations:
            labelled = 'keypoints' not in annotation or np.max(annotation['keypoints'], initial=0) > 0
            if annotation.get('iscrowd') or not labelled or annotation.get('category_id', 1) != self.category_id:
                continue
            x, y, width, height = _numbers(annotation['bbox'], 4)
            left, top, right, bottom = x, y, x + width, y + height
            image = self._images[annotation['image_id']]
            if 'width' in image:
                left, right = np.clip([left, right], 0, image['width'] - 1)
                top, bottom = np.clip([top, bottom], 0, image['height'] - 1)
            self._rows[annotation['image_id']].append([left, top, right, bottom, 1.0])

    def _read_detections(self, detections: list[dict], threshold: float) -> None:
        for found in detections:
            (score,) = _numbers([found.get('score', 1.0)], 1)
            if found.get('category_id', self.category_id) == self.category_id and score >= threshold:
                x, y, width, height = _numbers(found['bbox'][:4], 4)
                self._rows[_integer(found['image_id'])].append([x, y, x + width, y + height, score])

    def _check_size(self, picture: Picture, image_id: int) -> None:
        image = self._images.get(image_id, {})
        if 'width' in image and (image['width'], image['height']) != picture.size_wh:
            raise ValueError(
                f'The picture "{picture.name}" must have the size that "{self.path}" states, '
                f'{image["width"]}x{image["height"]}, it has {picture.size_wh[0]}x{picture.size_wh[1]}: was it resized?'
            )


def _index_images(images: list[dict]) -> dict[int, dict]:
    """The images by id; a TypeError or ValueError where one has not the form of COCO's."""
    if not isinstance(images, list):
        raise TypeError('"images" must be a list')
    for image in images:
        if not isinstance(image['file_name'], str) or '\0' in image['file_name']:
            raise TypeError('"file_name" must be text')
        if 'width' in image or 'height' in image:
            _numbers([image['width'], image['height']], 2)
    return {_integer(image['id']): image for image in images}


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f'an id must be an integer, got {value!r:.40}')
    return value


def _numbers(values: object, count: int) -> list[float]:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if len(numbers) != count or len(values) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f'{count} finite numbers are expected, got {values!r:.60}')
    return numbers
