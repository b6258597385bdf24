"""What a checkpoint has to say beside MMEngine's content for a run to go on at the same place, and how it does.

It also tells what MMEngine does in silence: on resuming, schedules and learning rates come from the checkpoint, and
what the config says of them is not looked at.
"""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from dyconv_pose.datasets.seeded import SeededSampler

#: Where the place is written within a checkpoint's ``meta``.
PLACE = 'place'

#: State of a schedule that changes as it runs, or follows from the rest; all else is what the config says.
_RUNNING = {'last_step', '_global_step', '_last_value', 'verbose', 'base_values', 'total_iters'}

#: Settings of an optimiser that schedules do not change.
_SETTINGS = ('initial_lr', 'weight_decay', 'betas', 'eps', 'momentum', 'nesterov', 'amsgrad')


class ResumeHook(Hook):
    """Writes the place in the data into checkpoints, finds it again, and validates where that was missed.

    A loop of :mod:`dyconv_pose.engine.loops` registers it for itself.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes how many batches of the epoch are done, of how many, and the seed of their order."""
        loop, meta = runner.train_loop, checkpoint['meta']
        is_within = meta['epoch'] == loop.epoch  # else the epoch that ends here counts as done already
        sampler = loop.dataloader.sampler
        meta[PLACE] = {
            'batches_done': loop.num_done if is_within else 0,
            'batches_per_epoch': len(loop.dataloader),
            'sampler_seed': sampler.seed if isinstance(sampler, SeededSampler) else None,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Goes to the noted place, and says what of the config is not followed."""
        if not runner._resume:
            return
        loop, meta = runner.train_loop, checkpoint.get('meta', {})
        place, sampler = meta.get(PLACE), loop.dataloader.sampler
        seed = (place or {}).get('sampler_seed') or meta.get('seed')
        if isinstance(sampler, SeededSampler):
            sampler.seed = sampler.seed if seed is None else seed
        else:
            runner.logger.warning('The data loader has a batch sampler: the resumed run augments samples differently.')
        if place is None:
            runner.logger.warning('The checkpoint does not say how far it was in its epoch, which begins anew.')
        elif place['batches_per_epoch'] != len(loop.dataloader):
            runner.logger.warning(
                f'An epoch had {place["batches_per_epoch"]} batches when the checkpoint was written and has '
                f'{len(loop.dataloader)} now: the epoch begins anew, and the run differs from one that was not stopped.'
            )
        else:
            loop.num_done = place['batches_done']
        for line in ignored_settings(runner, checkpoint):
            runner.logger.warning(line)

    def before_train(self, runner: Runner) -> None:
        """Validates where the run was stopped between a checkpoint and the validation that was to follow it."""
        loop = runner.train_loop
        if runner._resume and runner.iter > 0 and runner.val_loop is not None and loop.is_validation_due:
            runner.logger.info('Validating first: the checkpoint was written before the validation that was due.')
            runner.val_loop.run()


def ignored_settings(runner: Runner, checkpoint: dict) -> list[str]:
    """What the config says of schedules and the optimiser, and the checkpoint says differently; a line for each.

    Args:
        runner: A runner that has built what the config says, and not yet loaded the checkpoint's state.
        checkpoint: A checkpoint of a training.

    Returns:
        Sentences.
    """
    lines = []
    schedules = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    saved = checkpoint.get('param_schedulers', [])
    if isinstance(saved, list):
        if len(saved) != len(schedules):
            lines.append(f'has {len(saved)} schedules where the config has {len(schedules)}')
        for schedule, state in zip(schedules, saved, strict=False):
            own = schedule.state_dict()
            for key in sorted((own.keys() | state.keys()) - _RUNNING):
                if _differ(own.get(key), state.get(key)):
                    name = type(schedule).__name__
                    lines.append(f'has {key}={_plain(state.get(key))} where {name} has {_plain(own.get(key))}')
    groups = checkpoint.get('optimizer', {}).get('param_groups', [])
    if hasattr(runner.optim_wrapper, 'param_groups'):
        for own, state in zip(runner.optim_wrapper.param_groups, groups, strict=False):
            for key in _SETTINGS:
                if _differ(own.get(key), state.get(key)):
                    lines.append(f'has {key}={_plain(state.get(key))} where the optimiser has {_plain(own.get(key))}')
    remedy = 'to follow the config, start from the weights alone, with load_from in place of --resume'
    return [
        f'The checkpoint {line} in the config; the checkpoint is followed ({remedy}).' for line in dict.fromkeys(lines)
    ]


def _differ(own: object, saved: object) -> bool:
    return _plain(own) != _plain(saved)


def _plain(value: object) -> object:
    """Values that compare as they read: sequences as lists, counters as dictionaries."""
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list | tuple) else value
