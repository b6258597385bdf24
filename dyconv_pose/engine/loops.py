"""Training that can be stopped at any moment: whole checkpoints, and loops that resume as if they had not been stopped.

MMEngine's loops restart an epoch from its beginning and draw new random numbers. These have the sampler leave out the
batches that are done, and seed the generators before each iteration with a pure function of the seed and the iteration
(samples have seeds of their own: :mod:`dyconv_pose.datasets.samplers`). A config names its loop:
``train_cfg = dict(type='ResumableEpochLoop', max_epochs=210)``.
"""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from mmengine.dist import get_rank, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from dyconv_pose.datasets.samplers import SeededSampler, derive_seed, seed_generators, seeded_loader
from dyconv_pose.files import PARTIAL_SUFFIX, write_atomically

#: Where a checkpoint's ``meta`` says which batches of its epoch are done.
PLACE = 'place'

#: State of a schedule that changes as it runs, or follows from the rest; all else is what the config says.
_RUNNING = {'last_step', '_global_step', '_last_value', 'verbose', 'base_values', 'total_iters'}

#: Settings of an optimiser that schedules do not change.
_SETTINGS = ('initial_lr', 'weight_decay', 'betas', 'eps', 'momentum', 'nesterov', 'amsgrad')


class _ResumableLoop:
    """What both loops share; arguments are those of MMEngine's loop."""

    #: Batches of this epoch that are done; where epochs are not counted, the one epoch is the whole training.
    num_done = 0

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        dataloader = seeded_loader(dataloader) if isinstance(dataloader, dict) else dataloader
        super().__init__(runner, dataloader, *args, **kwargs)
        runner.register_hook(ResumeHook(), priority='LOWEST')

    def run_iter(self, *args) -> None:
        """Trains on a batch."""
        seed_generators(derive_seed(self.runner.seed, get_rank(), self.runner.iter), everywhere=True)
        super().run_iter(*args)

    def is_validation_due(self) -> bool:
        """Whether the loop would validate at this point."""
        by_epoch = isinstance(self, EpochBasedTrainLoop)
        done, last = (self._epoch, self._max_epochs) if by_epoch else (self._iter, self._max_iters)
        self._decide_current_val_interval()
        return self.num_done == 0 and done >= self.val_begin and (done % self.val_interval == 0 or done == last)


@LOOPS.register_module()
class ResumableEpochLoop(_ResumableLoop, EpochBasedTrainLoop):
    """MMEngine's loop over epochs, which can begin within one."""

    def run(self) -> nn.Module:
        """Trains; iterations are counted from here, since epochs may have changed their length on resuming."""
        self._max_iters = self._iter + (self._max_epochs - self._epoch) * len(self.dataloader) - self.num_done
        return super().run()

    def run_epoch(self) -> None:
        """Trains on what is left of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(batches_from(self.dataloader, self.num_done), start=self.num_done):
            self.num_done = index + 1
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.num_done = 0


@LOOPS.register_module()
class ResumableIterLoop(_ResumableLoop, IterBasedTrainLoop):
    """MMEngine's loop over iterations, which goes on at the sample where it was."""

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        self.dataloader_iterator = EndlessBatches(self.dataloader)


def batches_from(loader: DataLoader, num_done: int) -> Iterator[object]:
    """The batches of one epoch without the first ones, which are not even read where the sampler is seeded."""
    if isinstance(loader.sampler, SeededSampler):
        loader.sampler.num_skipped = num_done * loader.batch_size
        return iter(loader)
    return islice(loader, num_done, None)


class EndlessBatches:
    """The batches of one epoch after the other, as MMEngine's loop asks for them."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.skip_iter(0)

    def skip_iter(self, num_iters: int) -> None:
        """Goes to the place after so many batches from the very beginning."""
        self._batches = self._from(num_iters)

    def __next__(self) -> object:
        return next(self._batches)

    def _from(self, num_done: int) -> Iterator[object]:
        sampler = self.loader.sampler
        is_endless = isinstance(sampler, SeededSampler) and sampler.is_endless
        first, num_done = (0, num_done) if is_endless else divmod(num_done, len(self.loader))
        for epoch in count(first):
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            yield from batches_from(self.loader, num_done if epoch == first else 0)


class ResumeHook(Hook):
    """Writes the place in the data into checkpoints, finds it again, and makes up for a validation that was missed."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes how many batches of the epoch are done, of how many, and the seed of their order."""
        loop, meta = runner.train_loop, checkpoint['meta']
        sampler = loop.dataloader.sampler
        meta[PLACE] = {
            'batches_done': loop.num_done if meta['epoch'] == loop.epoch else 0,  # else the epoch counts as done
            'batches_per_epoch': len(loop.dataloader),
            'sampler_seed': sampler.seed if isinstance(sampler, SeededSampler) else None,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Goes to the noted place, and says what of the config is not followed."""
        if not runner._resume:
            return
        loop, meta, warn = runner.train_loop, checkpoint.get('meta', {}), runner.logger.warning
        place, sampler = meta.get(PLACE), loop.dataloader.sampler
        if isinstance(sampler, SeededSampler):
            seed = (place or {}).get('sampler_seed') or meta.get('seed')
            sampler.sampler.seed = sampler.seed if seed is None else seed
        else:
            warn('The data loader has a batch sampler: the resumed run augments samples differently.')
        if place is None:
            warn('The checkpoint does not say how far it was in its epoch: the epoch starts again.')
        elif place['batches_per_epoch'] != len(loop.dataloader):
            warn(
                f'An epoch had {place["batches_per_epoch"]} batches when the checkpoint was written and has '
                f'{len(loop.dataloader)} now: the epoch starts again, and the run differs from one that did not stop.'
            )
        else:
            loop.num_done = place['batches_done']
        for difference in ignored_settings(runner, checkpoint):
            warn(
                f'The checkpoint {difference} in the config; the checkpoint is followed (to follow the config, start '
                'from the weights alone, with load_from).'
            )

    def before_train(self, runner: Runner) -> None:
        """Validates where the run was stopped between a checkpoint and the validation that was to follow it."""
        loop = runner.train_loop
        if runner._resume and runner.iter > 0 and runner.val_loop is not None and loop.is_validation_due():
            runner.logger.info('Validating first: the checkpoint was written before the validation that was due.')
            runner.val_loop.run()


def ignored_settings(runner: Runner, checkpoint: dict) -> list[str]:
    """Settings of schedules and optimiser that MMEngine takes from the checkpoint, unlike the config's.

    The runner has built what the config says, and not yet loaded the checkpoint's state.
    """
    found, compared = [], []
    schedules, saved = runner.param_schedulers, checkpoint.get('param_schedulers', [])
    if isinstance(schedules, list) and isinstance(saved, list):
        if len(saved) != len(schedules):
            found.append(f'has {len(saved)} schedules where the config has {len(schedules)}')
        for schedule, state in zip(schedules, saved, strict=False):
            own = schedule.state_dict()
            compared.append((type(schedule).__name__, own, state, sorted((own.keys() | state.keys()) - _RUNNING)))
    groups = checkpoint.get('optimizer', {}).get('param_groups', [])
    for own, state in zip(getattr(runner.optim_wrapper, 'param_groups', []), groups, strict=False):
        compared.append(('the optimiser', own, state, _SETTINGS))
    for name, own, state, keys in compared:
        for key in keys:
            ours, theirs = (list(one) if isinstance(one, tuple) else one for one in (own.get(key), state.get(key)))
            if ours != theirs:
                found.append(f'has {key}={theirs} where {name} has {ours}')
    return list(dict.fromkeys(found))


class SafeBackend(LocalBackend):
    """Access to local files that writes whole ones, and removes others after that; MMEngine removes them before."""

    #: Files that the next one replaces, of all instances: MMEngine makes several.
    replaced: set[str] = set()

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes to a file, then removes what it replaces."""
        write_atomically(filepath, obj)
        for path in self.replaced - {str(filepath)}:
            Path(path).unlink(missing_ok=True)
        self.replaced.clear()

    def remove(self, filepath: str | Path) -> None:
        """Remembers a file that is to be removed."""
        self.replaced.add(str(filepath))


register_backend('safe', SafeBackend, force=True)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which never leaves a run without a whole checkpoint; takes the same arguments."""

    def __init__(self, *args, **kwargs) -> None:
        if '://' not in str(kwargs.get('out_dir')) and kwargs.get('file_client_args') is None:
            kwargs.setdefault('backend_args', {'backend': 'safe'})
        super().__init__(*args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Goes on where a resumed run was, and removes what a killed one left half-written."""
        super().before_train(runner)
        SafeBackend.replaced.clear()  # of a run of this process that failed
        if runner._resume and 'last_ckpt' in runner.message_hub.runtime_info:
            self.last_ckpt = runner.message_hub.get_info('last_ckpt')
        if is_main_process() and Path(self.out_dir).is_dir():
            for path in Path(self.out_dir).glob(f'*.pth{PARTIAL_SUFFIX}'):
                path.unlink(missing_ok=True)
                runner.logger.info(f'Removed {path}, a checkpoint that was not written to its end.')
