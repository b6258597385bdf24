"""Sampling without replacement across epochs, for experiments in which nothing may be memorised."""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class FreshSampler(Sampler):
    """Samples without replacement across epochs, from a dataset larger than an epoch, so that nothing is memorised.

    Each epoch, of ``num_samples`` in all processes together, goes on where the last one ended in a random order of the
    whole dataset; then another order begins. A ValueError is raised where the dataset has fewer samples.
    """

    def __init__(self, dataset: Sized, num_samples: int, seed: int | None = None) -> None:
        if not 1 <= num_samples <= len(dataset):
            raise ValueError(
                f'num_samples must be from 1 to the {len(dataset)} samples of the dataset, got {num_samples}: '
                'choose another number or make the dataset larger.'
            )
        self.dataset, self.num_samples, self.epoch = dataset, num_samples, 0
        self.seed = sync_random_seed() if seed is None else seed
        self._rank, self._processes = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        size = len(self) * self._processes  # rounded up, so that all processes get as many
        rounds, offsets = np.divmod(self.epoch * size + np.arange(size), len(self.dataset))
        draw = {number: np.random.default_rng((self.seed, int(number))) for number in np.unique(rounds)}
        orders = {number: generator.permutation(len(self.dataset)) for number, generator in draw.items()}
        indices = [int(orders[number][offset]) for number, offset in zip(rounds, offsets, strict=True)]
        return iter(indices[self._rank :: self._processes])

    def __len__(self) -> int:
        return -(-self.num_samples // self._processes)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0."""
        self.epoch = epoch
