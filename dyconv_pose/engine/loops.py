"""Training loops that go on from a checkpoint as if they had not been stopped, also in the middle of an epoch.

MMEngine's loops restart an epoch from its beginning and draw new random numbers. These know how many batches of the
pass over the data are done, have the sampler leave those out, and seed the generators before each iteration with a
pure function of the seed and the iteration (samples have seeds of their own, :mod:`dyconv_pose.datasets.seeded`).
Weights, optimiser, averaged weights and schedules come from the checkpoint, as MMEngine restores them.
"""

from collections.abc import Iterator
from itertools import islice

from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from dyconv_pose.datasets.seeded import SeededSampler, derive_seed, seed_generators, seeded_loader

from .resuming import ResumeHook

#: MMEngine's names of its loops, and what takes their place.
_RESUMABLE = {'EpochBasedTrainLoop': 'ResumableEpochLoop', 'IterBasedTrainLoop': 'ResumableIterLoop'}


def use_resumable_loop(config: Config) -> None:
    """Has a config's training run in a loop of this module, where it names one of MMEngine's."""
    loop = config.get('train_cfg')
    if not loop:
        return
    by_epoch = loop.pop('by_epoch', True) if 'type' not in loop else None
    name = loop.get('type', 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop')
    loop['type'] = _RESUMABLE.get(name, name)


def batches_from(loader: DataLoader, num_done: int) -> Iterator[object]:
    """The batches of one pass, but for the first ones, which are not even read where the sampler is seeded."""
    if isinstance(loader.sampler, SeededSampler):
        loader.sampler.skip(num_done * loader.batch_size)
        return iter(loader)
    return islice(loader, num_done, None)


def _seed_iteration(runner: Runner) -> None:
    seed_generators(derive_seed(runner.seed, get_rank(), runner.iter), everywhere=True)


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, which can begin within one.

    Args:
        runner: The runner.
        dataloader: As of :class:`mmengine.runner.EpochBasedTrainLoop`, as all further arguments.

    Attributes:
        num_done: Batches of this epoch that have been trained on.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        super().__init__(runner, _seeded(dataloader), *args, **kwargs)
        self.num_done = 0
        runner.register_hook(ResumeHook(), priority='LOWEST')

    def run_epoch(self) -> None:
        """Trains on what is left of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for place, batch in enumerate(batches_from(self.dataloader, self.num_done), start=self.num_done):
            self.num_done = place + 1
            self.run_iter(place, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.num_done = 0

    def run_iter(self, idx: int, data_batch: object) -> None:
        """Trains on a batch."""
        _seed_iteration(self.runner)
        super().run_iter(idx, data_batch)

    @property
    def is_validation_due(self) -> bool:
        """Whether the loop would validate at this point."""
        self._decide_current_val_interval()
        ends = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        return self.num_done == 0 and self._epoch >= self.val_begin and ends


@LOOPS.register_module()
class ResumableIterLoop(IterBasedTrainLoop):
    """MMEngine's loop over iterations, which goes on at the sample where it was.

    Args:
        runner: The runner.
        dataloader: As of :class:`mmengine.runner.IterBasedTrainLoop`, as all further arguments.
    """

    #: Batches of an epoch that are done; here the one epoch is the whole training.
    num_done = 0

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        super().__init__(runner, _seeded(dataloader), *args, **kwargs)
        self.dataloader_iterator = EndlessBatches(self.dataloader)
        runner.register_hook(ResumeHook(), priority='LOWEST')

    def run_iter(self, data_batch: object) -> None:
        """Trains on a batch."""
        _seed_iteration(self.runner)
        super().run_iter(data_batch)

    @property
    def is_validation_due(self) -> bool:
        """Whether the loop would validate at this point."""
        self._decide_current_val_interval()
        ends = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        return self._iter >= self.val_begin and ends


class EndlessBatches:
    """Passes over the data, one after the other.

    Args:
        loader: The data loader.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader, self.num_passes = loader, 0
        self._batches: Iterator | None = None

    def skip_iter(self, num_iters: int) -> None:
        """Goes to the place after so many batches from the very beginning."""
        sampler = self.loader.sampler
        is_endless = isinstance(sampler, SeededSampler) and sampler.is_endless
        self.num_passes, num_done = (0, num_iters) if is_endless else divmod(num_iters, len(self.loader))
        self._begin_pass(num_done)

    def __next__(self) -> object:
        if self._batches is None:
            self._begin_pass()
        try:
            return next(self._batches)
        except StopIteration:
            self.num_passes += 1
            self._begin_pass()
            return next(self._batches)

    def _begin_pass(self, num_done: int = 0) -> None:
        if hasattr(self.loader.sampler, 'set_epoch'):
            self.loader.sampler.set_epoch(self.num_passes)
        self._batches = batches_from(self.loader, num_done)


def _seeded(loader: DataLoader | dict) -> DataLoader | dict:
    return seeded_loader(loader) if isinstance(loader, dict) else loader
