"""Runs every proof that nothing is lost and nothing let in, and records what they counted (about half an hour)."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from dyconv_pose.cli import run

ROOT = Path(__file__).resolve().parents[1]
RECORD = 'benchmarks/results/robustness.json'
sys.path.insert(0, str(ROOT / 'tools'))  # its folders are imported by name

#: The tests that prove it, quick and slow.
PROOFS = (
    'tests/test_robustness',
    'tests/test_apis/test_checkpoint.py',
    'tests/test_apis/test_resume.py',
    'tests/test_datasets/test_rules.py',
    'tests/test_engine/test_checkpoints.py',
    'tests/test_engine/test_nan_guard.py',
    'tests/test_layers/test_dynamic_conv_fuzz.py',
    'tests/test_requirements.py',
)


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT / RECORD, help=f'where to write (default: {RECORD})')
    parser.add_argument('--quick', action='store_true', help='leave the slow proofs out')
    parser.add_argument('tests', nargs='*', help='files of tests (default: all proofs); figures of others are kept')
    return parser.parse_args()


def main() -> int:
    """Runs the tests and writes their figures; the exit status is that of the tests."""
    args = parse_args()
    from analysis_tools.environment import machine, versions

    before = json.loads(args.out.read_text())['figures'] if args.tests and args.out.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / 'figures.json'
        figures.write_text(json.dumps(before))
        command = [sys.executable, '-m', 'pytest', '-q', '--figures', str(figures), *(args.tests or PROOFS)]
        done = subprocess.run(command + ['-m', 'not slow'] * args.quick, cwd=ROOT, check=False)
        record = {'figures': json.loads(figures.read_text()), 'versions': versions(), 'processor': machine()}
    if done.returncode:
        print('error: a proof failed, and nothing is recorded.', file=sys.stderr)
        return 1
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + '\n')
    print(json.dumps(record['figures'], indent=1))
    return 0


if __name__ == '__main__':
    run(main)
