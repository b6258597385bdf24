"""The page on what the project withstands, from what the proofs counted."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import trained

#: What tools/prove_robustness.py writes.
RECORD = 'benchmarks/results/robustness.json'


def machine() -> dict:
    """What figures depend on beside the code: versions and the processor."""
    return {'versions': trained.versions(), 'processor': trained.machine()}


def robustness_page(root: Path) -> str:
    """The text of docs/robustness.md.

    Args:
        root: The project's folder.

    Returns:
        Markdown. A section whose proof has not been recorded says so in place of its figures.

    Raises:
        FileNotFoundError: There is no record of the proofs.
    """
    path = root / RECORD
    if not path.is_file():
        raise FileNotFoundError(f'The page needs the record "{path}": run tools/prove_robustness.py.')
    record = json.loads(path.read_text())
    versions = ', '.join(f'{name} {number}' for name, number in record['versions'].items())
    parts = [_HEAD.format(machine=f'{record["processor"]}; {versions}')]
    for topics, prose, write in _SECTIONS:
        if prose:
            parts.append(prose)
        missing = [topic for topic in topics if topic not in record['figures']]
        if missing:
            parts.append(f'Not recorded yet: {", ".join(missing)}.\n')
        elif topics:
            parts.append(write(*(record['figures'][topic] for topic in topics)))
    return '\n'.join(parts)


def _kills(kills: dict) -> str:
    runs, hits, writing = (sum(row[key] for row in kills.values()) for key in ('runs', 'kills', 'while_writing'))
    rows = [(name, row['runs'], row['kills'], row['while_writing']) for name, row in kills.items()]
    return (
        f'{runs} runs were killed {hits} times, {writing} times of these while they wrote a checkpoint, and all ended\n'
        'with the state of the run that was left alone, bit for bit:\n\n'
        + _table(('run', 'runs', 'kills', 'while writing a checkpoint'), rows)
    )


def _full_disk(full_disk: dict) -> str:
    return (
        'Disks that had no room for a checkpoint, each with one checkpoint kept: '
        + '; '.join(_FULL_DISK[name] for name in sorted(full_disk, reverse=True))
        + '. The run\nended with a sentence, the last checkpoint was whole, and with room it went on from there.\n'
    )


_FULL_DISK = {'tmpfs': 'a small disk that was filled', 'file_size_limit': 'a limit on the size of files'}


def _processes(two: dict, dead: dict) -> str:
    persons = ', '.join(map(str, two['numbers_of_persons']))
    rows = [(name.partition(':')[0], seconds) for name, seconds in dead.items()]
    return (
        f'Scores of two processes are those of one, to the last digit, for {persons} persons.\n'
        f'After {two["training_iterations"]} iterations with frozen batch normalisation, weights of two processes and '
        f'of one\nwith the double batch differ by {two["weights_apart"]:.1e} at most; an epoch moves them by '
        f'{two["weights_moved_in_an_epoch"]:.1e}.\n\n'
        'A process was killed, and the rest of the job was at its end after\n\n' + _table(('killed', 'seconds'), rows)
    )


def _refusals(refused: dict) -> str:
    return f'{len(refused)} malicious files were refused, and nothing in them ran:\n\n' + _table(
        ('attack or way in',), [(name,) for name in refused]
    )


def _annotations(spoiled: dict) -> str:
    errors = sum(severity == 'error' for severity in spoiled.values())
    rows = list(spoiled.items())
    return (
        f'{len(spoiled)} spoiled files, of which each was found: {errors} errors, {len(spoiled) - errors} warnings.\n\n'
        + _table(('what is spoiled', 'found as'), rows)
    )


def _layer(layer: dict) -> str:
    return (
        f'`DyConv2d` equals a loop of static convolutions over the samples in {layer["cases"]:,} random cases of\n'
        f'shape, stride, padding, dilation, groups and memory layout: {layer["of_batch_0"]:,} with an empty batch, '
        f'{layer["of_batch_1"]:,} with a\nbatch of one, {layer["not_contiguous"]:,} with an input that is not '
        'contiguous.\n'
    )


def _files(files: dict) -> str:
    cases = sum(row['cases'] for row in files.values())
    rows = [(name, f'{row["cases"]:,}', f'{row["refused"]:,}') for name, row in files.items()]
    return f'{cases:,} files and inputs gave a result or our own sentence, and no other error:\n\n' + _table(
        ('input', 'cases', 'refused with a sentence'), rows
    )


def _leaks(leaks: dict) -> str:
    inference = f'{leaks["inference_calls"]:,} inference calls', leaks['inference_growth_mb'], ''
    training = (
        f'{leaks["training_iterations"]:,} training iterations',
        leaks['training_growth_mb'],
        leaks['log_bytes_per_iteration'],
    )
    return (
        _table(('run', 'growth of memory, MB', 'log, bytes per iteration'), [inference, training])
        + '\nGrowth is that between the medians of the second and the last fifth of the run.\n'
    )


def _table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(map(str, cells)) + ' |' for cells in lines) + '\n'


_HEAD = """<!-- Written by tools/make_docs.py. -->

# What it withstands

Every figure on this page was counted by a test, and recorded in `benchmarks/results/robustness.json` by

```bash
python tools/prove_robustness.py           # all proofs, about half an hour
python tools/prove_robustness.py TEST ...  # some tests; figures of the others are kept
```

{machine}.
"""

_STOPPING = """## Stopping and going on

A run that is stopped at any moment, by SIGKILL too, goes on with `--resume` and ends with the weights that it would
have had: optimiser, averaged weights (EMA), schedules, temperature, the order of samples, their augmentation and the
network's own random numbers included, whatever `num_workers` is (deterministic, on a CPU).

- Samples and iterations have random seeds that follow from the run's seed and their place alone
  (`dyconv_pose/datasets/seeded.py`, `dyconv_pose/engine/loops.py`). A run without a seed in its config keeps the one
  that it drew.
- Also in the middle of an epoch: `--cfg-options default_hooks.checkpoint.by_epoch=False
  default_hooks.checkpoint.interval=500` writes a checkpoint every 500 iterations. Not so with a `batch_sampler` in the
  config, whose run goes on with other augmentation, and says so; nor in the middle of accumulating gradients.
- A checkpoint is written under another name, brought to the disk, and renamed; the one before it is removed after
  that. `--resume` takes the last one that is whole, tells which, and names those that it passed over.
- A validation that the stop came before is made up for, so that the best checkpoint is not missed.
- Schedules and learning rate come from the checkpoint. Where the config says something else, the log says so.
"""

_SEVERAL = """## Several processes

SyncBN does not run on a CPU, and is not measured; batch normalisation is frozen in the comparison of training.
"""

_STRANGERS = """## Files from strangers

Whatever reads a checkpoint (inference, export, `test.py`, `publish_model.py`; `train.py` with `--resume`, `load_from`
and every `init_cfg`) reads tensors, arrays and plain values, and nothing that could run. A file that needs more is
refused with a sentence that names `--trust-checkpoint`.
"""

_BAD_ANNOTATIONS = """## Bad annotations

`python tools/check_dataset.py CONFIG` names each rule that the files break, how often, and where first; training does
the same before it starts, stops at errors and logs warnings.
"""

_LOSS = """## A loss that is no number

The run stops before the weights change, also in mixed precision. `non_finite_loss.json` in the work directory has the
iteration, the learning rate, the temperature and the batch's image ids.
"""

_REQUIREMENTS = """## Requirements

`requirements/` names everything that `make` installs to the exact version (`tests/test_requirements.py`).
`tools/try_newest.sh` installs the newest versions into an environment of their own and reports what breaks.
"""

#: What each section needs of the record, its words, and what writes its figures.
_SECTIONS: tuple[tuple[tuple[str, ...], str, Callable[..., str] | None], ...] = (
    (('kills',), _STOPPING, _kills),
    (('full disk',), '', _full_disk),
    (('two processes', 'dead process'), _SEVERAL, _processes),
    (('malicious checkpoints refused',), _STRANGERS, _refusals),
    (('spoiled annotations',), _BAD_ANNOTATIONS, _annotations),
    ((), _LOSS, None),
    (('fuzzed layer',), '## Chance inputs\n', _layer),
    (('fuzzed files',), '', _files),
    (('leaks',), '## Long runs\n', _leaks),
    ((), _REQUIREMENTS, None),
)
