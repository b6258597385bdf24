"""Boxes from COCO's annotations and detections."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from dyconv_pose.datasets.annotations import findings_of, number_rows
from dyconv_pose.datasets.rules import box_errors, detection_errors, header_size, person_category
from dyconv_pose.files import read_json

from .results import Boxes, Image


class CocoBoxes:
    """Boxes from COCO annotations (the persons' own) or from COCO detections, by the images' file names.

    From annotations, crowds and persons without a labelled keypoint are left out and boxes are cut at the image's
    border, as MMPose does; so the results score as its evaluation with annotated boxes does.

    Args:
        path: An annotation file, or detections: a list of ``image_id``, ``bbox`` (xywh), ``score``, ``category_id``.
            A ValueError is raised for another file.
        annotations: For detections, the annotation file that gives the ids of file names. Without it an image's id is
            the number that its file name consists of, as in COCO.
        threshold: Detections that score less are left out.

    Attributes:
        category_id: The persons' category: the annotations' only one with keypoints, or 1 without annotations.
    """

    def __init__(self, path: str | Path, annotations: str | Path | None = None, threshold: float = 0.0) -> None:
        self.path = Path(path)
        content = read_json(path, 'boxes')
        is_annotations = isinstance(content, dict)
        truth = content if is_annotations else read_json(annotations, 'annotations') if annotations else {}
        self._rows: dict[int, list] = defaultdict(list)
        try:
            self._images = _index_images(truth['images']) if truth else {}
            self.category_id = person_category(truth)
            if is_annotations:
                self._read_annotations(content['annotations'])
            else:
                self._read_detections(content, threshold)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            problem = str(error) if isinstance(error, ValueError) else f'{type(error).__name__} {error}'
            raise ValueError(
                f'The boxes must be COCO annotations (images, annotations) or COCO detections (a list of image_id, '
                f'category_id, bbox, score), and "{path}" is not: {problem}.'
            ) from error
        self._ids_by_name = {Path(image['file_name']).as_posix(): index for index, image in self._images.items()}

    def find(self, image: Image) -> Boxes:
        """The boxes of the image of that name; a ValueError where the file does not list it, or with another size."""
        image_id, (width, height) = self.image_id(image.name), image.size_wh
        if image_id is None:
            raise ValueError(
                f'The boxes in "{self.path}" must be of the given images, and "{image.name}" is not there.'
            )
        entry = self._images.get(image_id, {})
        if 'width' in entry and (entry['width'], entry['height']) != (width, height):
            raise ValueError(
                f'The image "{image.name}" must have the size that "{self.path}" states, '
                f'{entry["width"]}x{entry["height"]}, it has {width}x{height}: was it resized?'
            )
        return Boxes.of(self._rows.get(image_id, []))

    def check(self, paths: dict[str, str]) -> None:
        """Raises a ValueError where detections without annotations do not fit into their images, files by name."""
        sizes = {} if self._images else {self.image_id(name): header_size(path) for name, path in paths.items()}
        rows = [(key, *size, *row[:4]) for key, size in sizes.items() if size for row in self._rows.get(key, [])]
        ids, sizes_wh, start, end = np.split(np.array(rows, float).reshape(-1, 7), [1, 3, 5], axis=1)
        boxes, places = np.hstack([start, end - start]), ids[:, 0].astype(int)
        if errors := findings_of(box_errors(boxes, sizes_wh, 'detections', places, 'image')):
            raise ValueError(f'In "{self.path}" {errors[0].sentence}.')

    def image_id(self, name: str) -> int | None:
        """The id of the image of that file name, with or without folders, ``None`` if there is none."""
        parts, stem = Path(name).parts, Path(name).stem
        for start in range(len(parts)):
            if (found := self._ids_by_name.get('/'.join(parts[start:]))) is not None:
                return found
        return int(stem) if not self._images and stem.isascii() and stem.isdigit() else None

    def _read_annotations(self, annotations: list[dict]) -> None:
        persons = [one for one in annotations if one.get('category_id', 1) == self.category_id and _counts(one)]
        if annotations and not persons:
            raise ValueError(f'none of its annotations of category {self.category_id} has a labelled keypoint')
        for person, (x, y, width, height) in zip(persons, _numbers([one['bbox'] for one in persons], 4), strict=True):
            left, top, right, bottom = x, y, x + width, y + height
            image = self._images[person['image_id']]
            if 'width' in image:
                left, right = np.clip([left, right], 0, image['width'] - 1)
                top, bottom = np.clip([top, bottom], 0, image['height'] - 1)
            self._rows[person['image_id']].append([left, top, right, bottom, 1.0])

    def _read_detections(self, detections: list[dict], threshold: float) -> None:
        sizes = {index: (one['width'], one['height']) for index, one in self._images.items() if 'width' in one}
        if errors := detection_errors(detections, sizes, self.category_id):
            raise ValueError(errors[0].sentence)
        for one in detections:
            if one['category_id'] == self.category_id and one['score'] >= threshold:
                x, y, width, height = one['bbox'][:4]
                self._rows[one['image_id']].append([x, y, x + width, y + height, one['score']])


def _counts(annotation: dict) -> bool:
    is_labelled = 'keypoints' not in annotation or np.max(annotation['keypoints'], initial=0) > 0
    return is_labelled and not annotation.get('iscrowd')


def _index_images(images: list[dict]) -> dict[int, dict]:
    """The images by id; a TypeError or ValueError where one does not have the form of COCO's."""
    for image in images:
        if not isinstance(image['file_name'], str) or '\0' in image['file_name'] or not isinstance(image['id'], int):
            raise TypeError('an image needs an integer "id" and a text "file_name"')
    _numbers([[image['width'], image['height']] for image in images if 'width' in image or 'height' in image], 2)
    return {image['id']: image for image in images}


def _numbers(rows: list, width: int) -> list[list[float]]:
    numbers, _ = number_rows(rows, width)
    if not (np.abs(numbers) < 1e30).all():  # NaN where a row is malformed
        raise ValueError(f'boxes, scores and sizes must be finite numbers, {width} each')
    return numbers.tolist()
