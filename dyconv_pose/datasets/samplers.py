"""Seeds for the augmentation of each sample.

MMEngine seeds a data-loading process once, so that a resumed run draws other numbers. Here the sampler gives each index
a seed, a pure function of (run's seed, epoch, place in the epoch), and the dataset seeds the generators with it.
"""

import random
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Dataset, Sampler


def derive_seed(*numbers: int) -> int:
    """A seed of 64 bits from non-negative integers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def seed_generators(seed: int, everywhere: bool = False) -> None:
    """Seeds Python's, NumPy's and PyTorch's generators on the CPU; on GPUs too where ``everywhere`` is set."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    (torch.manual_seed if everywhere else torch.default_generator.manual_seed)(seed)


def seeded_loader(loader: dict) -> dict:
    """A data loader's config with seeded samples; one with a batch sampler, for which indices are not all, as it is."""
    if loader.get('batch_sampler') is not None or not isinstance(loader.get('sampler'), dict):
        return loader
    sampler = dict(type='SeededSampler', sampler=loader['sampler'])
    return {**loader, 'dataset': dict(type='SeededDataset', dataset=loader['dataset']), 'sampler': sampler}


@DATASETS.register_module()
class SeededDataset(Dataset):
    """Prepares each sample from the seed that comes with its index; all else is the dataset's, built of its config."""

    def __init__(self, dataset: dict) -> None:
        self.dataset = DATASETS.build(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: tuple[int, int]) -> dict:
        """The sample at (index, seed)."""
        index, seed = place
        seed_generators(seed)
        return self.dataset[index]

    def __getattr__(self, name: str) -> object:
        if name == 'dataset' or name.startswith('__'):  # while unpickling, or a protocol that is not forwarded
            raise AttributeError(name)
        return getattr(self.dataset, name)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Gives each index of another sampler, which its config describes, a seed; can begin in the middle of an epoch.

    Places count over all processes: two prepare the samples that one would with batches of twice the size.
    """

    def __init__(self, dataset: Dataset, sampler: dict, seed: int | None = None) -> None:
        # not the seeded one where the dataset is a slice that MMEngine took
        self._dataset = dataset.dataset if isinstance(dataset, SeededDataset) else dataset
        self._config, self.epoch, self.num_skipped = sampler, 0, 0
        self.sampler = self._new_sampler(seed)
        self.is_endless = isinstance(self.sampler, InfiniteSampler)
        self.rank, self.world_size = get_dist_info()

    @property
    def seed(self) -> int:
        """The seed of the order, which all processes share."""
        return getattr(self.sampler, 'seed', 0)

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of an epoch."""
        self.epoch, self.num_skipped = epoch, 0
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # an endless sampler of MMEngine has one order for all its iterators, and it ends where one is given up
        order = self._new_sampler(self.seed) if self.is_endless else self.sampler
        for place, index in islice(enumerate(order), self.num_skipped, None):
            yield index, derive_seed(self.seed, self.epoch, place * self.world_size + self.rank)

    def __len__(self) -> int:
        return len(self.sampler)

    def _new_sampler(self, seed: int | None) -> Sampler:
        return DATA_SAMPLERS.build(self._config, default_args=dict(dataset=self._dataset, seed=seed))
