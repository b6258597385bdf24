"""The page on what the project withstands, from what the proofs counted."""

import json
from pathlib import Path

from .trained import _processor, _versions

#: What tools/prove_robustness.py writes.
RECORD = 'benchmarks/results/robustness.json'


def machine() -> dict:
    """What figures depend on beside the code: versions and the processor."""
    return {'versions': _versions(), 'processor': _processor()}


def robustness_page(root: Path) -> str:
    """The text of docs/robustness.md.

    Args:
        root: The project's folder.

    Returns:
        Markdown.

    Raises:
        FileNotFoundError: There is no record of the proofs.
    """
    path = root / RECORD
    if not path.is_file():
        raise FileNotFoundError(f'The page needs the record "{path}": run tools/prove_robustness.py.')
    record = json.loads(path.read_text())
    figures = record['figures']
    kills, layer, files = figures['kills'], figures['fuzzed layer'], figures['fuzzed files']
    values = {
        'kills': sum(row['kills'] for row in kills.values()),
        'runs': sum(row['runs'] for row in kills.values()),
        'while_writing': sum(row['while_writing'] for row in kills.values()),
        'kill_table': _table(
            ('run', 'runs', 'kills', 'while writing a checkpoint'),
            [(name, row['runs'], row['kills'], row['while_writing']) for name, row in kills.items()],
        ),
        'full_disks': ' and '.join(_FULL_DISK[name] for name in sorted(figures['full disk'], reverse=True)),
        'persons': ', '.join(map(str, figures['two processes']['numbers_of_persons'])),
        'iterations': figures['two processes']['training_iterations'],
        'apart': f'{figures["two processes"]["weights_apart"]:.1e}',
        'moved': f'{figures["two processes"]["weights_moved_in_an_epoch"]:.1e}',
        'dead': _table(('process that was killed', 'seconds'), _dead_rows(figures['dead process'])),
        'refused': len(figures['malicious checkpoints refused']),
        'refused_table': _table(('attack or way in',), [(name,) for name in figures['malicious checkpoints refused']]),
        'spoiled': len(figures['spoiled annotations']),
        'errors': sum(severity == 'error' for severity in figures['spoiled annotations'].values()),
        'warnings': sum(severity == 'warning' for severity in figures['spoiled annotations'].values()),
        'layer': layer,
        'file_cases': f'{sum(row["cases"] for row in files.values()):,}',
        'file_table': _table(
            ('input', 'cases', 'refused with a sentence'),
            [(name, f'{row["cases"]:,}', f'{row["refused"]:,}') for name, row in files.items()],
        ),
        'leaks': figures['leaks'],
        'log_bytes': figures['leaks']['log_bytes_per_iteration'],
        'machine': f'{record["processor"]}; ' + ', '.join(f'{k} {v}' for k, v in record['versions'].items()),
        'minutes': record['minutes'],
    }
    return _PAGE.format(**values)


_FULL_DISK = {
    'tmpfs': 'a small disk that was filled',
    'file_size_limit': 'a limit on the size of files met in the middle of a checkpoint',
}


def _dead_rows(figures: dict[str, float]) -> list[tuple[str, float]]:
    return [(name.partition(':')[0], seconds) for name, seconds in figures.items()]


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(map(str, cells)) + ' |' for cells in lines)


_PAGE = """<!-- Written by tools/make_docs.py. -->

# What it withstands

Every figure on this page was counted by a test, and recorded in `benchmarks/results/robustness.json` by

```bash
python tools/prove_robustness.py
```

which took {minutes} minutes ({machine}).

## Stopping and going on

A run that is stopped at any moment, by SIGKILL too, goes on with `--resume` and ends with the weights that it would
have had, bit for bit: optimiser, averaged weights (EMA), schedules, temperature, the order of samples, their
augmentation and the network's own random numbers included, whatever `num_workers` is.

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

{runs} runs were killed {kills} times, {while_writing} times of these while they wrote a checkpoint, and all ended with
the state of the run that was left alone:

{kill_table}

A full disk ({full_disks}) ends the run with a sentence, leaves the last checkpoint whole, and with room again the run
goes on from there.

## Several processes

Two processes give the scores of one, to the last digit, for {persons} persons. {iterations} training iterations on two
processes with frozen batch normalisation end {apart} (the largest difference of a weight) from those of one process
with the double batch; an epoch moves the weights by {moved}. SyncBN does not run on a CPU and is not measured.

When a process of a job dies, the others end with a sentence:

{dead}

## Files from strangers

Whatever reads a checkpoint (inference, export, `test.py`, `publish_model.py`; `train.py` with `--resume`, `load_from`
and every `init_cfg`) reads tensors, arrays and plain values, and nothing that could run. A file that needs more is
refused with a sentence that names `--trust-checkpoint`. {refused} malicious files were refused, and did not run:

{refused_table}

## Bad annotations

`python tools/check_dataset.py CONFIG` names each rule that the files break, how often, and where first; training does
the same before it starts, stops at errors and logs warnings. {spoiled} kinds of spoiled file were found: {errors} stop
a training or a test, {warnings} are warnings.

## A loss that is no number

The run stops before the weights change, also in mixed precision. `non_finite_loss.json` in the work directory has the
iteration, the learning rate, the temperature and the batch's image ids.

## Chance inputs

`DyConv2d` equals a loop of static convolutions over the samples in {layer[cases]:,} random cases of shape, stride,
padding, dilation, groups and memory layout, {layer[of_batch_0]:,} of them with an empty batch, {layer[of_batch_1]:,}
with a batch of one and {layer[not_contiguous]:,} with an input that is not contiguous.

{file_cases} damaged files and malformed inputs gave a result or our own sentence, and no other error:

{file_table}

## Long runs

| run | length | growth of memory, MB | log, bytes per iteration |
| --- | ---: | ---: | ---: |
| inference | {leaks[inference_calls]:,} calls | {leaks[inference_growth_mb]} | |
| training | {leaks[training_iterations]:,} iterations | {leaks[training_growth_mb]} | {log_bytes} |

Growth is that between the medians of the second and the last fifth of the run.

## Requirements

`requirements/` names everything that `make` installs to the exact version (`tests/test_requirements.py`).
`tools/try_newest.sh` installs the newest versions into an environment of their own and reports what breaks.
"""
