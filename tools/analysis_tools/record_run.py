"""Writes the JSON record of a finished run, from which the table of docs/trained.md is filled."""

import argparse
import json
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def record_run(work_dir: str | Path, metrics: str | Path, title: str, commands: list[str]) -> dict:
    """Collects what a finished run was and what it scored.

    Args:
        work_dir: The work directory of the training.
        metrics: The file that ``tools/test.py --out`` wrote for the run's checkpoint.
        title: What the run is, in a few words.
        commands: The commands that were given, in order.

    Returns:
        A dictionary for JSON: the title, commands, config, iterations, epochs, seconds of training (evaluation left
        out), final training loss, metrics, versions and processor.

    Raises:
        FileNotFoundError: The work directory holds no log, or the metrics do not exist.
    """
    from analysis_tools.environment import machine, versions
    from analysis_tools.scalars import read_scalars

    steps = [entry for entry in read_scalars(work_dir) if 'loss' in entry and 'iter' in entry]
    before = [0, *(entry['iter'] for entry in steps[:-1])]
    seconds = sum(entry['time'] * max(entry['iter'] - start, 0) for entry, start in zip(steps, before, strict=True))
    return {
        'title': title,
        'commands': commands,
        'config': next(path.name for path in sorted(Path(work_dir).glob('*.py'))),
        'iterations': steps[-1]['iter'],
        'epochs': steps[-1].get('epoch'),
        'training_seconds': round(seconds),
        'final_loss': steps[-1]['loss'],
        'metrics': json.loads(Path(metrics).read_text()),
        'versions': versions(),
        'processor': machine(),
    }


def main() -> None:
    """Reads the command line, collects and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', help='work directory of the training')
    parser.add_argument('metrics', help='file that tools/test.py --out wrote')
    parser.add_argument('--title', required=True, help='what the run is, in a few words')
    parser.add_argument('--commands', nargs='+', required=True, help='the commands that were given, in order')
    parser.add_argument('--out', required=True, help='the JSON to write')
    args = parser.parse_args()
    record = record_run(args.work_dir, args.metrics, args.title, args.commands)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(record, indent=1) + '\n')
    print(args.out)


if __name__ == '__main__':
    run(main)
