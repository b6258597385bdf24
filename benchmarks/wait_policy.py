"""What it costs that waiting OpenMP threads sleep, or spin, as by default: idle or beside others.

OpenMP reads its environment once, so each way has a process of its own; they take turns, call by call.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import ExitStack

from interleaved import environment, measure, summary, write

from dyconv_pose.cli import run

#: By which users of GNU's, Intel's and LLVM's OpenMP say how threads wait.
WAIT_VARIABLES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')

#: What OpenMP is told, beside the number of threads.
WAYS = {'spinning': {}, 'sleeping': {'OMP_WAIT_POLICY': 'passive'}}

#: The calls that are timed, by the batch size.
CALLS = {'training step, batch 16': 16, 'inference, batch 1': 1}


class Worker:
    """A process that runs a call whenever it is asked to."""

    def __init__(self, config: str, call: str, threads: int, way: dict[str, str]) -> None:
        env = {name: value for name, value in os.environ.items() if name not in WAIT_VARIABLES}
        env |= {'OMP_NUM_THREADS': str(threads), **way}
        command = [sys.executable, '-W', 'ignore', __file__, '--work', call, '--config', config]
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self) -> None:
        """Waits for one call."""
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise ValueError('A measuring process ended: its error is above.')


def work(config: str, call: str) -> None:
    """Runs the network of a config for each line of the standard input, trained for three steps before."""
    import torch

    from dyconv_pose.apis import build_model, load_config
    from dyconv_pose.deploy import PoseNetwork
    from dyconv_pose.engine.speed import use_channels_last

    torch.manual_seed(0)
    config = load_config(config)
    network, (width, height) = PoseNetwork(build_model(config)), config.codec['input_size']
    use_channels_last(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)

    def step(x: torch.Tensor) -> None:
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()

    for _ in range(3):  # the features of an untrained network shrink to denormal numbers, which are slow
        step(torch.randn(16, 3, height, width))
    x = torch.randn(CALLS[call], 3, height, width)
    network.train(call.startswith('training'))
    infer = torch.inference_mode()(network)
    for _ in sys.stdin:
        step(x) if network.training else infer(x)
        print('done', flush=True)


def compare(args: argparse.Namespace, busy: int) -> dict:
    """Medians of all calls in both ways beside so many busy processes, and what sleeping takes over spinning."""
    result = {}
    with ExitStack() as stack:
        for _ in range(busy):
            stack.callback(subprocess.Popen([sys.executable, '-c', 'while True: pass']).kill)
        for call in CALLS:
            workers = {name: Worker(args.config, call, args.threads, way) for name, way in WAYS.items()}
            try:
                times = measure(workers, args.rounds, warm_up=2)
            finally:
                for worker in workers.values():
                    worker.process.kill()
            result[call] = {name: summary(values) for name, values in times.items()}
            medians = [one['median_ms'] for one in result[call].values()]
            result[call]['sleeping_over_spinning'] = round(medians[1] / medians[0], 3)
            print(f'{busy} busy processes, {call}: {result[call]}', flush=True)
    return result


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='td-hm_dy-mobilenetv2-bneck_8xb64-210e_coco-256x192')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--busy', type=int, nargs='+', default=[0, 2], help='numbers of busy processes beside')
    parser.add_argument('--out', default='benchmarks/results/wait_policy.json')
    parser.add_argument('--work', choices=CALLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.config, args.work)
        return
    start, results = time.time(), {f'{busy} busy processes': compare(args, busy) for busy in args.busy}
    record = {'config': args.config, 'threads': args.threads, 'rounds': args.rounds, 'results': results}
    write({**record, 'seconds': round(time.time() - start), **environment()}, args.out)


if __name__ == '__main__':
    main() if '--work' in sys.argv else run(main)  # the tools' run would choose a way
