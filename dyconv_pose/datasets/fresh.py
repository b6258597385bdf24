"""Other samples in every epoch, from a data set larger than an epoch, so that nothing can be learnt by heart."""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class FreshSampler(Sampler):
    """Takes an epoch's samples from where the last epoch ended in a random order of the whole data set.

    No sample comes twice before all have come once; then another order begins, within an epoch where it must. What an
    epoch holds follows from the seed, the number of processes and the epoch: a run with a seed in its config
    (``randomness``) sees after it is resumed what it would have seen.

    Args:
        dataset: The data set.
        num_samples: Of an epoch, in all processes together.
        seed: Of the orders, the same in all processes; ``None`` draws one, which costs the processes a message.

    Raises:
        ValueError: An epoch would have no sample, or the data set has fewer than an epoch.
    """

    def __init__(self, dataset: Sized, num_samples: int, seed: int | None = None) -> None:
        if not 1 <= num_samples <= len(dataset):
            raise ValueError(
                f'num_samples must be from 1 to the {len(dataset)} samples of the data set, got {num_samples}: '
                'choose another number or make the data set larger.'
            )
        self.dataset, self.num_samples, self.epoch = dataset, num_samples, 0
        self.seed = sync_random_seed() if seed is None else seed
        self._rank, self._processes = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        """This process's indices in the epoch that MMEngine has set."""
        size = len(self) * self._processes  # rounded up, so that all processes get as many
        positions = self.epoch * size + np.arange(size)
        rounds, offsets = np.divmod(positions, len(self.dataset))
        orders = {number: self._order(number) for number in np.unique(rounds)}
        indices = [int(orders[number][offset]) for number, offset in zip(rounds, offsets, strict=True)]
        return iter(indices[self._rank :: self._processes])

    def __len__(self) -> int:
        """The number of samples of this process in an epoch."""
        return -(-self.num_samples // self._processes)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from 0."""
        self.epoch = epoch

    def _order(self, number: int) -> np.ndarray:
        return np.random.default_rng((self.seed, int(number))).permutation(len(self.dataset))
