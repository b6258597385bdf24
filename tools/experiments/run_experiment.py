"""Trains networks with several seeds each, alike, and records what they score; continues where it was interrupted."""

import argparse
import sys
from functools import partial
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest='mode', required=True)
    everything = modes.add_parser('run', help='execute all runs that are not recorded yet, one after another')
    single = modes.add_parser('worker', help='execute one run in this process (what "run" starts for each)')
    status = modes.add_parser('status', help='say what is finished')
    report = modes.add_parser('report', help='print tables and draw learning curves of what is finished')
    for mode in (everything, single, status, report):
        mode.add_argument('experiment', help='file of the experiment, such as configs/experiments/photographs_cpu.py')
        mode.add_argument('--work-dir', help='folder of all runs (default: work_dirs/<experiment>)')
        mode.add_argument('--results', help='file with a line for each run (default: results/<experiment>.jsonl)')
    report.add_argument('--curves', metavar='FILE', help='image file of the learning curves')
    everything.add_argument('--seeds', type=int, nargs='+', help="seeds in place of the experiment's")
    single.add_argument('network', help='name of the network in the experiment')
    single.add_argument('seed', type=int)
    return parser.parse_args()


def main() -> int:
    """Executes the mode."""
    args = parse_args()
    import dyconv_pose.registration  # noqa: F401, first, since it makes MMPose importable

    # isort: split
    from experiments import scheduling
    from experiments.description import load_experiment
    from experiments.records import read_records
    from experiments.worker import InProgressError, execute

    seeds = [args.seed] if args.mode == 'worker' else getattr(args, 'seeds', None)
    experiment = load_experiment(args.experiment, seeds)
    work_dir = args.work_dir or str(Path('work_dirs') / experiment.name)
    results = args.results or str(Path('results') / f'{experiment.name}.jsonl')
    if args.mode == 'worker':
        try:
            execute(experiment, experiment.run(args.network, args.seed), work_dir, results)
        except InProgressError as error:
            print(f'{args.network}/seed{args.seed} {error}', file=sys.stderr)
            return scheduling.IN_PROGRESS_STATUS
        return 0
    if args.mode == 'status':
        for name, state in scheduling.status_of(experiment, work_dir, results):
            print(f'{name}: {state}')
        return 0
    if args.mode == 'report':
        from experiments.plots import plot_learning_curves
        from experiments.report import difference_table, network_table

        records = read_records(results)
        print(network_table(experiment, records), difference_table(experiment, records), sep='\n')
        if args.curves:
            print(plot_learning_curves(experiment, records, args.curves))
        return 0
    command_for = partial(scheduling.worker_command, sys.argv[0], args.experiment, work_dir=work_dir, results=results)
    outcome = scheduling.run_all(experiment, results, command_for, say=partial(print, flush=True))
    print(', '.join(f'{len(names)} {state}' for state, names in outcome.items()))
    return 1 if outcome['failed'] else 0


if __name__ == '__main__':
    run(main)
