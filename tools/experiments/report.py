"""The page on an experiment, whatever came out of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from dyconv_pose.analysis.estimators import count_config
from dyconv_pose.analysis.markdown import comment_of, markdown_table

from .description import Experiment, load_experiment
from .records import read_records
from .statistics import Summary, count_excluding, paired_differences, summarise

FOLDER = Path('configs/experiments')

_HEAD = """<!-- Written by tools/make_docs.py. -->

# Static against dynamic, over several seeds

What the method claims is a gain over the static twin at nearly the same compute. An experiment trains networks alike,
several seeds each, and compares them seed by seed. All of an experiment is one file; the command can be stopped and
given again at any time, and a second copy of it beside the first takes the runs that the first has not begun.

```bash
python tools/experiment.py run EXPERIMENT        # execute what is not recorded yet, in work_dirs/<experiment>
python tools/experiment.py status EXPERIMENT     # what is finished, in progress, waiting
python tools/experiment.py report EXPERIMENT     # these tables; with --curves FILE.png the learning curves too
```

The records of this repository count as finished: to repeat an experiment, give files and folders of your own
(`--results mine.jsonl --work-dir work_dirs/mine`). The photographs are [a small part of COCO and of Leeds Sports Pose
Extended](data.md#the-photographs-of-the-experiments).

Each finished run is a line of JSON in `results/<experiment>.jsonl`: config, digest of the recipe, seed, revision,
versions, machine, epochs, seconds, scores, loss. The last checkpoint is scored, never the best one, which would be
chosen on the pictures it is scored on. The runs of an experiment have one recipe, but not all were of one revision of
the code; "+" marks a revision with changes that were not committed yet. Minutes are the median of the experiment's own
runs, some of which shared their machine with others or were paused. "±" is the standard deviation over seeds. A
difference is that of two networks with the same seed, given as mean and, in brackets, Student's 95% interval over the
seeds' differences, so it says how far these networks on this data differ by more than the chance of training, and
nothing about other data. Where networks have different numbers of seeds, it is not the difference of their means. Of
several metrics the first was chosen beforehand.
"""


def experiments_page(root: Path) -> str:
    """The page on all experiments under ``configs/experiments``.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    parts = [_HEAD]
    for path in sorted((root / FOLDER).glob('*.py')):
        parts.append(_section(root, path))
    return '\n'.join(parts)


def _section(root: Path, path: Path) -> str:
    experiment = load_experiment(path)
    name = path.relative_to(root).as_posix()
    lines = [f'## {experiment.title}', '', f'[`{name}`](../{name}): {comment_of(path)}', '']
    records = read_records(root / 'results' / f'{experiment.name}.jsonl')
    if not records:
        lines += [f'No results are recorded yet: `python tools/experiment.py run {name}`.', '']
        lines += [f'Networks: {", ".join(f"`{network}`" for network in experiment.networks)}.', '']
        return '\n'.join(lines)
    lines += [tables(experiment, records, root)]
    picture = f'experiment_{experiment.name}.png'
    if (root / 'docs/images' / picture).is_file():
        lines += [f'![learning curves](images/{picture})', '']
    lines += [
        f'Record: [`results/{experiment.name}.jsonl`](../results/{experiment.name}.jsonl). {_origin(records)}',
        '',
    ]
    return '\n'.join(lines)


def tables(experiment: Experiment, records: Sequence[Mapping], root: Path = Path()) -> str:
    """Scores of the networks, and their paired differences, as Markdown.

    Args:
        experiment: The experiment.
        records: Its records; those of networks that it no longer has are left out.
        root: The project's folder, where the configs' paths begin.
    """
    by_network = {name: [r for r in records if r['network'] == name] for name in experiment.networks}
    rows = [
        _network_row(experiment, name, found, root) if found else [name, *['-'] * (5 + len(experiment.metrics))]
        for name, found in by_network.items()
    ]
    names = [f'{metric}, %' for metric in experiment.metrics]
    header = ['network', 'seeds', 'params', 'MAdds', 'minutes a run', 'training loss', *names]
    parts = [markdown_table(header, rows)]
    rows = [_difference_row(new, old, experiment.metrics, by_network) for new, old in experiment.comparisons]
    names = [f'{metric}, points' for metric in experiment.metrics]
    header = ['difference', 'n', f'{experiment.metrics[0]} by seed', *names, 'training loss']
    parts += ['', markdown_table(header, rows), '']
    return '\n'.join(parts) + verdicts(experiment, by_network)


def verdicts(experiment: Experiment, by_network: Mapping[str, Sequence[Mapping]]) -> str:
    """One sentence for each comparison, on the experiment's first metric."""
    metric = experiment.metrics[0]
    lines = []
    for new, old in experiment.comparisons:
        differences = _differences(by_network, new, old, metric)
        lines.append(f'- {new} against {old}: {verdict(list(differences.values()), metric)}')
    return '\n'.join([*lines, *_warning(experiment, by_network)]) + '\n'


def _warning(experiment: Experiment, by_network: Mapping[str, Sequence[Mapping]]) -> list[str]:
    """What must be known of a table of many intervals."""
    found = [
        summarise(list(differences.values()))
        for new, old in experiment.comparisons
        for value in (*experiment.metrics, 'training loss')
        if len(differences := _differences(by_network, new, old, value)) > 1
    ]
    return [f'\n{count_excluding(found)}'] if found else []


def verdict(differences: Sequence[float], metric: str) -> str:
    """What the paired differences of a metric (as shares) allow to be said."""
    if not differences:
        return 'no seed is finished for both.'
    summary = summarise(differences)
    if summary.interval is None:
        return f'{100 * summary.mean:+.2f} {metric} with one seed, of which nothing follows.'
    sign = 'higher' if summary.mean > 0 else 'lower'
    found = f'the mean {metric} is {sign} by {abs(100 * summary.mean):.2f} over {summary.count} seeds'
    if summary.excludes_zero:
        return f'{found}, and the interval excludes 0.'
    return f'{found}, and the interval includes 0: no difference is shown.'


def _network_row(experiment: Experiment, name: str, records: Sequence[Mapping], root: Path) -> list[str]:
    run = next(run for run in experiment.runs if run.network == name)
    cost = count_config(run.config(root))
    minutes = [record['training_seconds'] / 60 for record in records if 'reused_from' not in record]
    planned = sum(run.network == name for run in experiment.runs)
    return [
        f'`{name}`',
        f'{len(records)} of {planned}' if len(records) < planned else str(len(records)),
        f'{cost.params / 1e6:.2f}M',
        f'{cost.madds / 1e6:.1f}M',
        f'{median(minutes):.0f}' if minutes else '-',
        _spread(summarise([record['final_loss'] for record in records]), '.5f'),
        *(_spread(summarise([100 * _value(r, metric) for r in records]), '.2f') for metric in experiment.metrics),
    ]


def _difference_row(new: str, old: str, metrics: Sequence[str], by_network: Mapping) -> list[str]:
    each = [100 * value for value in _differences(by_network, new, old, metrics[0]).values()]
    cells = [_mean_and_interval(_differences(by_network, new, old, metric), 100, '+.2f') for metric in metrics]
    cells.append(_mean_and_interval(_differences(by_network, new, old, 'training loss'), 1, '+.4f'))
    return [f'{new} - {old}', str(len(each)), ', '.join(f'{value:+.2f}' for value in each) or '-', *cells]


def _mean_and_interval(differences: Mapping[int, float], factor: float, form: str) -> str:
    if not differences:
        return '-'
    summary = summarise([factor * value for value in differences.values()])
    interval = '' if summary.interval is None else f' ({" to ".join(f"{end:{form}}" for end in summary.interval)})'
    return f'{summary.mean:{form}}{interval}'


def _differences(by_network: Mapping[str, Sequence[Mapping]], new: str, old: str, metric: str) -> dict[int, float]:
    values = [{record['seed']: _value(record, metric) for record in by_network[name]} for name in (new, old)]
    return paired_differences(*values)


def _value(record: Mapping, metric: str) -> float:
    if metric == 'training loss':
        return record['final_loss']
    if metric not in record['metrics']:
        raise ValueError(
            f'An experiment must name metrics that its records have: {metric} of {record["experiment"]} is not among '
            f'{", ".join(record["metrics"])}.'
        )
    return record['metrics'][metric]


def _spread(summary: Summary, form: str) -> str:
    return f'{summary.mean:{form}}' + ('' if summary.spread is None else f' ± {summary.spread:{form}}')


def _origin(records: Sequence[Mapping]) -> str:
    """Revisions, machines and versions of the records, each different one once."""
    revisions = ', '.join(dict.fromkeys(str(record['revision']) for record in records))
    machines = '; '.join(dict.fromkeys(record['machine'] for record in records))
    versions = '; or '.join(
        dict.fromkeys(', '.join(f'{n} {v}' for n, v in record['versions'].items()) for record in records)
    )
    epochs = ', '.join(dict.fromkeys(str(record['epochs']) for record in records))
    reused = ', '.join(dict.fromkeys(record['reused_from'] for record in records if 'reused_from' in record))
    some = f'; some runs are those of {reused}' if reused else ''
    return f'{epochs} epochs{some}; revision {revisions}; {machines}; {versions}.'
