"""Tables of an experiment: scores of its networks, and paired differences with Student's 95% intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

import numpy as np
from analysis_tools.pages.fill import markdown_table
from scipy import stats

from .description import Experiment, load_experiment
from .records import OKS, read_records

_LOSS = 'training loss'


@dataclass(frozen=True)
class Summary:
    """A sample of one quantity.

    Attributes:
        count: n.
        mean: Its mean.
        spread: Standard deviation of the sample (n - 1 in the denominator); ``None`` for n = 1.
        interval: Ends of the 95% confidence interval of the mean, by Student's t; ``None`` for n = 1.
    """

    count: int
    mean: float
    spread: float | None
    interval: tuple[float, float] | None

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and zero is outside it."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    def with_interval(self, form: str = '+.2f') -> str:
        """Such as ``'-1.32 (-2.10 to -0.54)*'``, with the asterisk where the interval excludes zero."""
        if self.interval is None:
            return f'{self.mean:{form}}'
        low, high = self.interval
        return f'{self.mean:{form}} ({low:{form}} to {high:{form}})' + '*' * self.excludes_zero


def summarise(values: Sequence[float]) -> Summary:
    """Summarises a sample of at least one value.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError('A summary needs at least one value, got none.')
    if len(values) == 1:
        return Summary(1, values[0], None, None)
    spread = stdev(values)
    interval = stats.ttest_1samp(values, 0).confidence_interval() if spread else (values[0], values[0])
    return Summary(len(values), mean(values), spread, tuple(map(float, interval)))


def paired_differences(new: Mapping[int, float], old: Mapping[int, float]) -> dict[int, float]:
    """New less old for every seed that both have.

    Args:
        new: Values by seed.
        old: The same of what it is compared with.
    """
    return {seed: new[seed] - old[seed] for seed in sorted(new.keys() & old.keys())}


def paired_similarity(records: Sequence[Mapping], new: str, old: str, draws: int = 10_000) -> Summary | None:
    """The difference of two networks in OKS, of the same persons by the same seeds; ``None`` where there is none.

    The interval is a bootstrap's: persons and seeds are both drawn anew, with replacement.
    """
    persons = [{r['seed']: r['persons'] for r in records if r['network'] == name} for name in (new, old)]
    seeds = sorted(persons[0].keys() & persons[1].keys())
    if not seeds:
        return None
    names = sorted(persons[0][seeds[0]])
    values = np.array([[[network[seed][name] for name in names] for seed in seeds] for network in persons])
    differences = 100 * (values[0] - values[1])  # (seeds, persons)
    rng, means = np.random.default_rng(0), []
    for _ in range(draws):
        rows, columns = (rng.integers(size, size=size) for size in differences.shape)
        means.append(differences[rows][:, columns].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return Summary(differences.size, float(differences.mean()), None, (float(low), float(high)))


def network_table(experiment: Experiment, records: Sequence[Mapping], costs: Mapping[str, Mapping] = {}) -> str:
    """Scores of the networks: mean and standard deviation over the seeds.

    Args:
        experiment: The experiment.
        records: Its records; those of networks that it no longer has are left out.
        costs: ``params`` and ``madds`` by network, where they were counted.
    """
    rows = []
    for name in experiment.networks:
        mine = [record for record in records if record['network'] == name]
        planned = sum(run.network == name for run in experiment.runs)
        minutes = [record['training_seconds'] / 60 for record in mine if 'reused_from' not in record]
        counts = [f'{costs[name][key] / 1e6:{form}}M' for key, form in (('params', '.2f'), ('madds', '.1f'))
                  if name in costs]  # fmt: skip
        row = [f'`{name}`', len(mine) if len(mine) >= planned else f'{len(mine)} of {planned}', *(counts or '--')]
        row += [f'{median(minutes):.0f}' if minutes else '-', _spread(mine, _LOSS, 1, '.3f')]
        rows.append(row + [_spread(mine, metric, 100, '.2f') for metric in experiment.metrics])
    header = ['network', 'seeds', 'params', 'MAdds', 'minutes a run', _LOSS, *(f'{m}, %' for m in experiment.metrics)]
    return markdown_table(header, rows)


def difference_table(experiment: Experiment, records: Sequence[Mapping]) -> str:
    """Differences of two networks with the same seed, in points: by seed, and their mean with its interval.

    It is Student's over the seeds, and that of :func:`paired_similarity` for OKS.
    """
    rows = []
    for new, old in experiment.comparisons:
        differences = {value: _differences(records, new, old, value) for value in (*experiment.metrics, _LOSS)}
        by_seed = differences[experiment.metrics[0]]
        row = [f'{new} - {old}', len(by_seed), ', '.join(f'{100 * value:+.2f}' for value in by_seed) or '-']
        for value, sample in differences.items():
            factor, form = (1, '+.3f') if value == _LOSS else (100, '+.2f')
            summary = summarise([factor * x for x in sample]) if sample else None
            if value == OKS:
                summary = paired_similarity(records, new, old)
            row.append(summary.with_interval(form) if summary else '-')
        rows.append(row)
    names = [f'{metric}, points' for metric in experiment.metrics]
    return markdown_table(['difference', 'n', f'{experiment.metrics[0]} by seed', *names, _LOSS], rows)


def _spread(records: Sequence[Mapping], value: str, factor: float, form: str) -> str:
    if not records:
        return '-'
    summary = summarise([factor * _value(record, value) for record in records])
    return f'{summary.mean:{form}}' + ('' if summary.spread is None else f' ± {summary.spread:{form}}')


def _differences(records: Sequence[Mapping], new: str, old: str, value: str) -> list[float]:
    values = [{r['seed']: _value(r, value) for r in records if r['network'] == name} for name in (new, old)]
    return list(paired_differences(*values).values())


def _value(record: Mapping, name: str) -> float:
    if name == _LOSS:
        return record['final_loss']
    if name not in record['metrics']:
        raise ValueError(
            f'An experiment must name metrics that its records have: {name} of {record["experiment"]} is not among '
            f'{", ".join(record["metrics"])}.'
        )
    return record['metrics'][name]


def experiment(root: Path, name: str) -> str:
    """Both tables of an experiment under ``configs/experiments``."""
    counted = json.loads((root / 'benchmarks/results/complexity.json').read_text())['experiments']
    described = load_experiment(root / f'configs/experiments/{name}.py')
    records = read_records(root / f'results/{name}.jsonl')
    return f'{network_table(described, records, counted.get(name, {}))}\n{difference_table(described, records)}'


TABLES = {'experiment': experiment}
