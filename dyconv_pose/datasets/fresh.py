"""Drawn people without end: other pictures in every epoch, drawn while the network trains.

A picture is a function of the seed and of its number alone. The sampler counts on from epoch to epoch, so the data set
need not know the epoch, processes that load data may live as long as they like, and a resumed run sees what it would
have seen.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dataset import DefaultSampler
from mmpose.datasets.datasets.body import CocoDataset
from mmpose.registry import DATA_SAMPLERS, DATASETS

from .synthetic import render_sample

#: Parts these pictures from those of ``make_sample_set`` with the same seed, whose splits are 0 and 1.
_STREAM = 2


def draw_person(seed: int, number: int) -> tuple[np.ndarray, dict]:
    """Draws a picture and picks one of the people in it.

    Args:
        seed: Of the whole stream.
        number: Of the picture, from 0 without end.

    Returns:
        The picture, (H, W, 3) uint8 BGR, and the person's annotation in COCO's format.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, _STREAM, number)))
    while True:  # now and then nobody in a picture can be seen
        picture, people = render_sample(rng)
        if people:
            return picture, people[int(rng.integers(len(people)))]


class _Stream(Sequence):
    """Raw data by number, drawn when asked for; as long as an epoch, and open beyond that."""

    def __init__(self, dataset: 'DrawnPeopleDataset') -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return self._dataset.num_persons

    def __getitem__(self, number: int) -> dict:
        picture, person = draw_person(self._dataset.seed, number)
        height, width = picture.shape[:2]
        image = dict(width=width, height=height, img_path=f'drawn/{self._dataset.seed}/{number}')
        info = self._dataset.parse_data_info(
            dict(raw_ann_info=dict(person, id=number, image_id=number), raw_img_info=image)
        )
        return info | dict(img=picture)


@DATASETS.register_module()
class DrawnPeopleDataset(CocoDataset):
    """Drawn people for training, one person of each picture; other ones in every epoch with :class:`FreshSampler`.

    Args:
        num_persons: How many persons an epoch has.
        seed: Another seed gives other people.
        pipeline: Transforms, as of any data set of MMPose.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, num_persons: int, seed: int = 0, pipeline: Sequence[dict] = ()) -> None:
        if num_persons < 1 or seed < 0:
            raise ValueError(
                f'num_persons must be at least 1 and seed at least 0, got {num_persons} and {seed}: choose larger ones.'
            )
        self.num_persons, self.seed = num_persons, seed
        super().__init__(pipeline=list(pipeline), serialize_data=False)

    def load_data_list(self) -> Sequence[dict]:
        """The stream, of which nothing is drawn yet."""
        return _Stream(self)

    def filter_data(self) -> Sequence[dict]:
        """All of it."""
        return self.data_list


@DATA_SAMPLERS.register_module()
class FreshSampler(DefaultSampler):
    """Numbers that no epoch before had: those of epoch e begin at e times the length of the data set.

    For a :class:`DrawnPeopleDataset`; others have nothing beyond their end.
    """

    def __iter__(self) -> Iterator[int]:
        """The numbers of this process in the epoch that MMEngine has set."""
        first = self.epoch * len(self.dataset)
        return (first + index for index in super().__iter__())
