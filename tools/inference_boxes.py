"""Boxes from COCO's annotations and detections, for ``tools/infer.py --boxes``."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from dyconv_pose.datasets.rules import (
    PERSON_CATEGORY,
    box_errors,
    detection_errors,
    entry_errors,
    findings_of,
    header_size,
    number_rows,
)
from dyconv_pose.files import read_json
from dyconv_pose.inference import Boxes, Image


class CocoBoxes:
    """Boxes from COCO annotations (the persons' own) or COCO detections, by the images' file names.

    As in MMPose, annotated crowds and persons without a labelled keypoint are left out, and boxes end at the border.

    Args:
        path: An annotation file, or detections; a ValueError is raised for another file.
        annotations: For detections, the annotation file that gives the ids of file names. Without it an image's id is
            the number that its file name consists of, as in COCO.
        threshold: Detections that score less are left out.
    """

    def __init__(self, path: str | Path, annotations: str | Path | None = None, threshold: float = 0.0) -> None:
        self.path = Path(path)
        content = read_json(path, 'boxes')
        is_annotations = isinstance(content, dict)
        truth = content if is_annotations else read_json(annotations, 'annotations') if annotations else {}
        try:
            images = truth['images'] if truth else []
            if errors := findings_of(entry_errors(images, 'images', {'id': int, 'file_name': str})):
                raise ValueError(errors[0].sentence)
            self._images = {image['id']: image for image in images}
            sized = {key: image for key, image in self._images.items() if 'width' in image or 'height' in image}
            sizes = _numbers([[image['width'], image['height']] for image in sized.values()], 2)
            self._sizes_wh = dict(zip(sized, sizes, strict=True))
            self._ids_by_name = {Path(image['file_name']).as_posix(): key for key, image in self._images.items()}
            self.category_id = person_category(truth)
            rows = self._annotated(content['annotations']) if is_annotations else self._detected(content, threshold)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            problem = str(error) if isinstance(error, ValueError) else f'{type(error).__name__} {error}'
            raise ValueError(
                f'The boxes must be COCO annotations (images, annotations) or COCO detections (a list of image_id, '
                f'category_id, bbox, score), and "{path}" is not: {problem}.'
            ) from error
        self._rows: dict[int, list] = defaultdict(list)  # xyxy and score, by the image's id
        for image_id, row in rows:
            self._rows[image_id].append(row)

    def find(self, image: Image) -> Boxes:
        """The boxes of the image of that name; a ValueError where the file does not list it, or with another size."""
        image_id, (width, height) = self.image_id(image.name), image.size_wh
        if image_id is None:
            raise ValueError(f'The boxes in "{self.path}" must be of the given images, "{image.name}" is not there.')
        stated_width, stated_height = self._sizes_wh.get(image_id, image.size_wh)
        if (stated_width, stated_height) != (width, height):
            raise ValueError(
                f'The image "{image.name}" must have the size that "{self.path}" states, '
                f'{stated_width:g}x{stated_height:g}, it has {width}x{height}: was it resized?'
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

    def _annotated(self, annotations: list[dict]) -> list[tuple[int, list[float]]]:
        persons = [
            one
            for one in annotations
            if one.get('category_id', 1) == self.category_id and not one.get('iscrowd')
            and ('keypoints' not in one or np.max(one['keypoints'], initial=0) > 0)
        ]  # fmt: skip
        if annotations and not persons:
            raise ValueError(f'none of its annotations of category {self.category_id} has a labelled keypoint')
        rows = []
        for person, (x, y, width, height) in zip(persons, _numbers([one['bbox'] for one in persons], 4), strict=True):
            image_id, corners = self._images[person['image_id']]['id'], np.array([[x, y], [x + width, y + height]])
            if image_id in self._sizes_wh:
                corners = corners.clip(0, np.array(self._sizes_wh[image_id]) - 1)
            rows.append((image_id, [*corners.ravel(), 1.0]))
        return rows

    def _detected(self, detections: list[dict], threshold: float) -> list[tuple[int, list[float]]]:
        if errors := detection_errors(detections, self._sizes_wh, self.category_id):
            raise ValueError(errors[0].sentence)
        rows = []
        for one in detections:
            if one['category_id'] == self.category_id and one['score'] >= threshold:
                x, y, width, height = one['bbox'][:4]
                rows.append((one['image_id'], [x, y, x + width, y + height, one['score']]))
        return rows


def _numbers(rows: list, width: int) -> list[list[float]]:
    numbers, _ = number_rows(rows, width)
    if np.isnan(numbers).any():
        raise ValueError(f'boxes, scores and sizes must be finite numbers, {width} each')
    return numbers.tolist()


def person_category(content: dict) -> int:
    """The persons' category in COCO annotations: the only one with keypoints, or that called "person", or 1."""
    known, annotations = content.get('categories') or [], content.get('annotations') or []
    used = {one.get('category_id', PERSON_CATEGORY) for one in annotations if 'keypoints' in one}
    used = used or {one.get('category_id', PERSON_CATEGORY) for one in annotations}
    named = {entry['id'] for entry in known if entry.get('keypoints')} or {entry['id'] for entry in known}
    found = (used & named) or used or named or {PERSON_CATEGORY}
    people = [entry['id'] for entry in known if entry['id'] in found and str(entry.get('name')).lower() == 'person']
    if len(found) > 1 and len(people) != 1 and PERSON_CATEGORY not in found:
        raise ValueError(f'one of its categories must be that of persons, and it has {sorted(found)}, none a "person"')
    return found.pop() if len(found) == 1 else people[0] if len(people) == 1 else PERSON_CATEGORY
