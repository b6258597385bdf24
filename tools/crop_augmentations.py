"""Augmentations of crops for training on photographs: a neighbour pasted in front, patches dropped."""

from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from dyconv_pose.files import read_json

#: COCO's limbs and, as one polygon, the trunk.
_LIMBS = ((5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16), (0, 5), (0, 6))
_TRUNK = (5, 6, 12, 11)


@TRANSFORMS.register_module()
class PasteNeighbour(BaseTransform):
    """Pastes another person, cut out along thick limbs, over a crop (H, W, 3) uint8, beside its own person.

    Labels stay as they are: a joint that the neighbour hides is to be found all the same. Comes after TopdownAffine.

    Args:
        ann_file: COCO annotations with 17 keypoints; taken are those 100 pixels high, with at most five unlabelled.
        data_root: Where their images' names begin.
        prob: How often.
        offsets: How far the neighbour's middle is from the crop's, as shares of its width; to either side.
        scales: The neighbour's height as a share of the crop's.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str,
        prob: float = 0.5,
        offsets: tuple[float, float] = (0.25, 0.6),
        scales: tuple[float, float] = (0.5, 0.9),
    ) -> None:
        content = read_json(ann_file, 'annotations')
        paths = {image['id']: Path(data_root, image['file_name']) for image in content['images']}
        self.persons, self.prob, self.offsets, self.scales = [], prob, offsets, scales
        for one in content['annotations']:
            keypoints = np.array(one['keypoints'], np.float32).reshape(-1, 3)
            if (keypoints[:, 2] > 0).sum() >= len(keypoints) - 5 and one['bbox'][3] >= 100:
                self.persons.append((paths[one['image_id']], one['bbox'], keypoints))

    def transform(self, results: dict) -> dict:
        """Changes ``img``."""
        if np.random.rand() >= self.prob:
            return results
        crop = results['img']
        height, width = crop.shape[:2]
        path, (left, top, wide, high), keypoints = self.persons[np.random.randint(len(self.persons))]
        image = cv2.imread(str(path))
        mask = np.zeros(image.shape[:2], np.uint8)
        seen, places = keypoints[:, 2] > 0, keypoints[:, :2].round().astype(int)
        thickness = max(int(0.14 * min(high, 2.5 * wide)), 2)
        for limb in _LIMBS:
            if seen[list(limb)].all():
                cv2.line(mask, places[limb[0]], places[limb[1]], 255, thickness)
        if seen[list(_TRUNK)].all():
            cv2.fillConvexPoly(mask, cv2.convexHull(places[list(_TRUNK)]), 255)
        if seen[:5].any():
            cv2.circle(mask, places[:5][seen[:5]].mean(axis=0).astype(int), thickness, 255, -1)
        scale = np.random.uniform(*self.scales) * height / high
        x = width * (0.5 + np.random.choice([-1, 1]) * np.random.uniform(*self.offsets))
        y = height * np.random.uniform(0.4, 0.6)
        mirror = np.random.choice([-1, 1])
        middle = left + wide / 2, top + high / 2
        matrix = np.array([[mirror * scale, 0, x - mirror * scale * middle[0]], [0, scale, y - scale * middle[1]]])
        flags = dict(dsize=(width, height), flags=cv2.INTER_LINEAR)
        share = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, **flags), (5, 5), 0)[..., None] / np.float32(255)
        results['img'] = (crop * (1 - share) + cv2.warpAffine(image, matrix, **flags) * share).astype(np.uint8)
        return results


@TRANSFORMS.register_module()
class DropPatches(BaseTransform):
    """Fills up to ``number`` rectangles of a crop with one colour each, of a side from ``sides`` of the crop's."""

    def __init__(self, prob: float = 0.5, number: int = 3, sides: tuple[float, float] = (0.08, 0.25)) -> None:
        self.prob, self.number, self.sides = prob, number, sides

    def transform(self, results: dict) -> dict:
        """Changes ``img``."""
        crop = results['img']
        height, width = crop.shape[:2]
        for _ in range(np.random.randint(1, self.number + 1) if np.random.rand() < self.prob else 0):
            size = (np.random.uniform(*self.sides, 2) * height).astype(int)
            top, left = np.random.randint(0, [height, width])
            crop[top : top + size[0], left : left + size[1]] = np.random.randint(0, 256, 3)
        return results
