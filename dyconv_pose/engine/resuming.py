"""Settings that MMEngine silently takes from the checkpoint when a run resumes, though the config says otherwise."""

from mmengine.runner import Runner

#: State of a schedule that changes as it runs, or follows from the rest; all else is what the config says.
_RUNNING = {'last_step', '_global_step', '_last_value', 'verbose', 'base_values', 'total_iters'}

#: Settings of an optimiser that schedules do not change.
_SETTINGS = ('initial_lr', 'weight_decay', 'betas', 'eps', 'momentum', 'nesterov', 'amsgrad')


def ignored_settings(runner: Runner, checkpoint: dict) -> list[str]:
    """A sentence for each setting of a schedule or the optimiser that differs between checkpoint and config.

    The runner has built what the config says, and not yet loaded the checkpoint's state.
    """
    found = []
    schedules, saved = runner.param_schedulers, checkpoint.get('param_schedulers', [])
    if isinstance(schedules, list) and isinstance(saved, list):
        if len(saved) != len(schedules):
            found.append(f'has {len(saved)} schedules where the config has {len(schedules)}')
        for schedule, state in zip(schedules, saved, strict=False):
            own = schedule.state_dict()
            keys = (own.keys() | state.keys()) - _RUNNING
            found += _differences(own, state, sorted(keys), type(schedule).__name__)
    groups = checkpoint.get('optimizer', {}).get('param_groups', [])
    for own, state in zip(getattr(runner.optim_wrapper, 'param_groups', []), groups, strict=False):
        found += _differences(own, state, _SETTINGS, 'the optimiser')
    remedy = 'the checkpoint is followed (to follow the config, start from the weights alone, with load_from)'
    return [f'The checkpoint {one} in the config; {remedy}.' for one in dict.fromkeys(found)]


def _differences(own: dict, saved: dict, keys: list[str] | tuple[str, ...], name: str) -> list[str]:
    pairs = [(key, _comparable(own.get(key)), _comparable(saved.get(key))) for key in keys]
    return [f'has {key}={after} where {name} has {before}' for key, before, after in pairs if before != after]


def _comparable(value: object) -> object:
    """Values that compare as they read: sequences as lists, counters as dictionaries."""
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list | tuple) else value
