"""Seconds from the command line to the first overlay, and how many of them go to importing PyTorch and MMPose.

Whole processes take turns, with the packages in the system's file cache.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from interleaved import environment, write

from dyconv_pose.cli import run

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'td-hm_dy-mobilenetv2-fpn_1xb32-5k_photographs-256x192'
CHECKPOINT = ROOT / 'checkpoints/td-hm_dy-mobilenetv2-fpn_photographs-256x192.pth'
IMPORTS = """
import warnings
from dyconv_pose.compat import mock_missing_modules
warnings.simplefilter('ignore')
with mock_missing_modules():
    import torch, mmpose.apis, mmpose.datasets, mmpose.engine, mmpose.evaluation, mmpose.models, mmpose.visualization
"""


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', help='a photograph')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', help='JSON file')
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        infer = ['tools/infer.py', args.image, '--out-dir', folder]
        commands = {
            'exported file': infer,
            'checkpoint': [infer[0], CONFIG, str(CHECKPOINT), *infer[1:]],
            'imports of torch and MMPose': ['-c', IMPORTS],
        }
        seconds = {name: [] for name in commands}
        for number in range(1 + args.rounds):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
                if number:
                    seconds[name].append(time.perf_counter() - start)
    medians = {name: round(float(np.median(values)), 3) for name, values in seconds.items()}
    over = round(medians['checkpoint'] - medians['imports of torch and MMPose'], 3)
    result = {'median_s': medians, 'checkpoint_over_imports_s': over, 'rounds': args.rounds}
    print(result)
    if args.out:
        write({**result, **environment()}, args.out)


if __name__ == '__main__':
    run(main)
