"""What goes into pose estimation and what comes out. Shape letters: N persons, K keypoints, H and W of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Picture:
    """A decoded picture and where it comes from.

    Attributes:
        image: (H, W, 3) uint8, channels in the order blue, green, red.
        name: File name, with or without folders, or the frame's; how boxes in a file are looked up.
        image_id: Its id in a COCO data set, where it has one.
    """

    image: np.ndarray
    name: str = ''
    image_id: int | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]


@dataclass
class Boxes:
    """Where persons are in one picture.

    Attributes:
        xyxy: (N, 4) float32, left, top, right and bottom in pixels.
        scores: (N,) float32, the detector's confidence, or ones.
    """

    xyxy: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def of(cls, boxes: 'Boxes | np.ndarray | Sequence[Sequence[float]]') -> 'Boxes':
        """Makes boxes from (N, 4) numbers xyxy, or (N, 5) with the score last.

        Raises:
            ValueError: The numbers have another shape.
        """
        if isinstance(boxes, Boxes):
            return boxes
        array = np.asarray(boxes, dtype=np.float32)
        if array.size == 0:
            array = array.reshape(0, 4)
        if array.ndim != 2 or array.shape[1] not in (4, 5):
            raise ValueError(
                f'Boxes must have shape (N, 4), as left, top, right, bottom in pixels, or (N, 5) with a score, '
                f'got shape {array.shape}.'
            )
        scores = array[:, 4] if array.shape[1] == 5 else np.ones(len(array), dtype=np.float32)
        return cls(np.ascontiguousarray(array[:, :4]), scores.copy())

    def check(self, picture: Picture) -> None:
        """Makes sure that every box covers a part of the picture.

        Raises:
            ValueError: A box is empty, not finite, or wholly outside.
        """
        width, height = picture.size_wh
        where = f' of "{picture.name}"' if picture.name else ''
        for box in self.xyxy:
            left, top, right, bottom = box.tolist()
            shown = ', '.join(f'{number:g}' for number in box.tolist())
            if not np.isfinite(box).all() or right <= left or bottom <= top:
                raise ValueError(
                    f'A box{where} must be left, top, right, bottom with right > left and bottom > top, got ({shown}): '
                    'boxes given as x, y, width, height need converting.'
                )
            if right <= 0 or bottom <= 0 or left >= width or top >= height:
                raise ValueError(
                    f'A box{where} must overlap the picture of {width}x{height} pixels, got ({shown}): '
                    'were the boxes made for a picture of another size?'
                )


@dataclass
class Poses:
    """The persons found in one picture.

    Attributes:
        keypoints: (N, K, 2) float32, x and y in pixels of the picture.
        scores: (N, K) float32, the heatmap's value at the keypoint, nominally 0 to 1.
        boxes: (N, 4) float32, the persons' boxes xyxy in pixels.
        box_scores: (N,) float32, as the boxes' source gave them.
        regions: (N, 4) float32 xyxy, the part of the picture that the network saw.
        heatmaps: (N, K, heatmap height, heatmap width) float32 over the regions, where they were asked for.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    box_scores: np.ndarray
    regions: np.ndarray = field(repr=False)
    heatmaps: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, chosen: np.ndarray | Sequence[int] | slice) -> 'Poses':
        """The chosen persons."""
        heatmaps = None if self.heatmaps is None else self.heatmaps[chosen]
        parts = (self.keypoints, self.scores, self.boxes, self.box_scores, self.regions)
        return Poses(*(part[chosen] for part in parts), heatmaps=heatmaps)

    def person_scores(self, keypoint_threshold: float = 0.2) -> np.ndarray:
        """One number per person, (N,) float32: the box's score times the mean score of the confident keypoints.

        It is what COCO's AP ranks persons by in top-down estimation, and MMPose's default.

        Args:
            keypoint_threshold: Keypoints that score no more than this are left out of the mean.
        """
        confident = self.scores > keypoint_threshold
        total = np.where(confident, self.scores, 0).sum(axis=1)
        return (self.box_scores * total / np.maximum(confident.sum(axis=1), 1)).astype(np.float32)
