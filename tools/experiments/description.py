"""What an experiment is: a short file that names networks, seeds and what is compared."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

#: What of a config decides a result. The rest (logging, checkpoints, worker processes) may change within a run.
_DECISIVE = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'test_dataloader', 'test_evaluator',
             'train_cfg', 'optim_wrapper', 'param_scheduler', 'load_from', 'custom_hooks')  # fmt: skip
# The second is a hook's of old: without its name, all digests would be others.
_DECISIVE_HOOKS = ('temperature', 'fresh_pictures', 'further_validation')
_INCIDENTAL_KEYS = ('num_workers', 'persistent_workers', 'pin_memory', 'val_interval', 'dynamic_intervals')


@dataclass(frozen=True)
class Run:
    """One network with one seed.

    Attributes:
        network: The network's name in the experiment.
        seed: The seed of its random numbers.
        config_file: The config.
        options: Overrides of the config, in order.
    """

    network: str
    seed: int
    config_file: str
    options: tuple[Mapping, ...]

    @property
    def name(self) -> str:
        """Such as ``'static/seed0'``, which is also its folder in the work directory."""
        return f'{self.network}/seed{self.seed}'

    def config(self, root: str | Path = '') -> Config:
        """The config with the overrides and the seed.

        Args:
            root: Where the config's path begins; by default, the current directory.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: It cannot be read, or an override does not fit.
        """
        from dyconv_pose.apis.config import describe, load_config  # late: it imports MMPose

        config = load_config(Path(root) / self.config_file)
        for options in self.options:
            try:
                config.merge_from_dict(json.loads(json.dumps(options)))
            except (KeyError, TypeError, IndexError) as error:
                raise ValueError(
                    f'The options of network "{self.network}" cannot be applied to "{self.config_file}": '
                    f'{describe(error)}'
                ) from error
        config.merge_from_dict({'randomness.seed': self.seed})
        import_modules_from_strings(**config.custom_imports)  # which the options may have changed
        return config


@dataclass(frozen=True)
class Experiment:
    """Several networks, trained alike with several seeds.

    Attributes:
        name: The name of its file, without ``.py``.
        title: What is compared, in a few words.
        runs: All runs, the networks of one seed one after another, so that pairs are complete early.
        comparisons: Pairs of names of networks; each is compared with the second of its pair.
        metrics: Names of the metrics that the report compares.
        reuses: Names of experiments whose finished runs count as this one's where recipe and seed are the same.
    """

    name: str
    title: str
    runs: tuple[Run, ...]
    comparisons: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    reuses: tuple[str, ...] = ()

    @property
    def networks(self) -> list[str]:
        """The names of the networks, in the file's order."""
        return list(dict.fromkeys(run.network for run in self.runs))

    def run(self, network: str, seed: int) -> Run:
        """The run of a network and a seed.

        Raises:
            ValueError: There is none.
        """
        found = [run for run in self.runs if (run.network, run.seed) == (network, seed)]
        if not found:
            raise ValueError(f'A run must be one of the experiment, and "{self.name}" has no {network}/seed{seed}.')
        return found[0]


def load_experiment(path: str | Path, seeds: list[int] | None = None) -> Experiment:
    """Reads the file of an experiment.

    The file holds ``title``; ``networks``, for each name a ``dict(config=..., options={...})`` whose config is a path
    from the current directory and whose options override it (as dotted or nested keys); ``options`` for all networks;
    ``seeds``; ``comparisons``, pairs of names; ``metrics``; and, if other experiments train some of the same, their
    names as ``reuses``. It may have a ``_base_``, as any config.

    Args:
        path: The file, Python or JSON.
        seeds: Seeds in place of the file's.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: Something of it is missing or does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'The experiment must be an existing file, got "{path}": there are some in configs/experiments.'
        )
    try:
        content = Config.fromfile(path).to_dict()
    except (KeyError, NameError, SyntaxError, TypeError, ImportError, OSError) as error:
        raise ValueError(f'The experiment "{path}" cannot be read: {type(error).__name__}: {error}') from error
    seeds = content['seeds'] = list(content.get('seeds', []) if seeds is None else seeds)
    _check(path, content)
    common = content.get('options', {})
    runs = [
        Run(name, seed, network['config'], (common, network.get('options', {})))
        for seed in seeds
        for name, network in content['networks'].items()
    ]
    comparisons = tuple((new, old) for new, old in content['comparisons'])
    reuses = tuple(content.get('reuses', ()))
    return Experiment(path.stem, content['title'], tuple(runs), comparisons, tuple(content['metrics']), reuses)


def _check(path: Path, content: Mapping) -> None:
    missing = [key for key in ('title', 'networks', 'seeds', 'comparisons', 'metrics') if not content.get(key)]
    if missing:
        raise ValueError(f'An experiment must state {missing[0]}, and "{path}" does not: see configs/experiments.')
    networks, reuses, seeds = content['networks'], content.get('reuses', []), content['seeds']
    for name in [reuses] if isinstance(reuses, str) else reuses:
        if isinstance(reuses, str) or name == path.stem or not path.with_name(f'{name}.py').is_file():
            raise ValueError(
                f'reuses must be a list of names of other experiments in "{path.parent}", got {reuses} in "{path}".'
            )
    for pair in content['comparisons']:
        if len(pair) != 2 or any(name not in networks for name in pair):
            raise ValueError(f'A comparison must be a pair of {sorted(networks)}, got {pair} in "{path}".')
    if len(set(seeds)) < len(seeds):
        raise ValueError(f'The seeds of an experiment must differ, got {seeds}.')
    for name, network in networks.items():
        if not set(network) <= {'config', 'options'} or 'config' not in network:
            raise ValueError(f'A network must state config and may state options, "{name}" in "{path}" has {network}.')


def recipe_of(config: Config) -> str:
    """A short digest of all that decides a run's result but its seed: of the model, data, schedule and evaluation."""
    content = {key: config.get(key) for key in _DECISIVE}
    loop = content['train_cfg'] or {}
    if loop.get('type') == 'ResumableEpochLoop':  # in the words of old, or all digests would be others
        content['train_cfg'] = {key: value for key, value in loop.items() if key != 'type'} | {'by_epoch': True}
    hooks = config.get('default_hooks') or {}
    content['hooks'] = {key: hooks.get(key) for key in _DECISIVE_HOOKS}
    content['hooks'] |= {key: hooks[key] for key in ('average',) if key in hooks}
    text = json.dumps(_plain(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: object) -> object:
    """The value as JSON can hold it, without what does not decide anything."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items() if key not in _INCIDENTAL_KEYS}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
