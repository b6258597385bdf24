"""Writes the JSON record of a finished run, from which docs/trained.md is made."""

import argparse
import json
from pathlib import Path

from dyconv_pose.analysis.trained import record_run
from dyconv_pose.cli import run


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
