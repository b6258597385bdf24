"""Samples whose random augmentation follows from the seed and their place in the order, and from nothing else.

MMEngine seeds a data-loading process once, when it starts: what a sample's augmentation draws then depends on every
sample before it, and a run that goes on from a checkpoint draws other numbers. Here the sampler hands out, with each
index, a seed that is a pure function of (run's seed, pass over the data, place in the pass), and the data set seeds
the generators with it before it prepares the sample. So the sample is the same whichever process prepares it, however
many processes there are, and wherever the run was stopped.
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
    """A seed of 64 bits from non-negative integers, different for all that matters where one of them is."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def seed_generators(seed: int, everywhere: bool = False) -> None:
    """Seeds Python's, NumPy's and PyTorch's generators on the CPU; on GPUs too where ``everywhere`` is set."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if everywhere:
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@DATASETS.register_module()
class SeededDataset(Dataset):
    """A data set that prepares each sample from the seed that comes with its index.

    Args:
        dataset: The config of the data set; what else is asked of this one is asked of that.
    """

    def __init__(self, dataset: dict) -> None:
        self.dataset = DATASETS.build(dataset)

    def full_init(self) -> None:
        """Lets the data set read its annotations, as MMEngine's runner asks it to."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()

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
    """A sampler that gives each index of another one a seed, and can begin in the middle of a pass.

    The place that the seed is made of counts over all processes, so that two processes prepare the samples that one
    would with batches of twice the size.

    Args:
        dataset: The :class:`SeededDataset`, or what wraps it.
        sampler: The config of the sampler that decides on the order.
        seed: Of the order and of the samples.
    """

    def __init__(self, dataset: Dataset, sampler: dict, seed: int | None = None) -> None:
        # not the seeded one where the data set is a slice that MMEngine took
        self._dataset = dataset.dataset if isinstance(dataset, SeededDataset) else dataset
        self._config = sampler
        self.sampler = self._new_sampler(seed)
        self.epoch = self.num_skipped = 0
        self.rank, self.world_size = get_dist_info()

    @property
    def seed(self) -> int:
        """The seed of the order, which all processes share."""
        return getattr(self.sampler, 'seed', 0)

    @seed.setter
    def seed(self, seed: int) -> None:
        self.sampler.seed = seed

    @property
    def is_endless(self) -> bool:
        """Whether there is one pass that never ends."""
        return isinstance(self.sampler, InfiniteSampler)

    def set_epoch(self, epoch: int) -> None:
        """Goes to the beginning of a pass."""
        self.epoch, self.num_skipped = epoch, 0
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def skip(self, num_samples: int) -> None:
        """Leaves out the first samples of this pass, when it begins next."""
        self.num_skipped = num_samples

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # an endless sampler of MMEngine has one order for all its iterators, and it ends where one is given up
        order = self._new_sampler(self.seed) if self.is_endless else self.sampler
        for place, index in islice(enumerate(order), self.num_skipped, None):
            yield index, derive_seed(self.seed, self.epoch, place * self.world_size + self.rank)

    def __len__(self) -> int:
        return len(self.sampler)

    def _new_sampler(self, seed: int | None) -> Sampler:
        return DATA_SAMPLERS.build(self._config, default_args=dict(dataset=self._dataset, seed=seed))


def seeded_loader(loader: dict) -> dict:
    """A data loader's config with :class:`SeededDataset` and :class:`SeededSampler` around what it has.

    A loader with a batch sampler is returned as it is: batches of such are no matter of indices alone.
    """
    if loader.get('batch_sampler') is not None or not isinstance(loader.get('sampler'), dict):
        return loader
    return {
        **loader,
        'dataset': dict(type='SeededDataset', dataset=loader['dataset']),
        'sampler': dict(type='SeededSampler', sampler=loader['sampler']),
    }
