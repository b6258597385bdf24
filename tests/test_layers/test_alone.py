"""The layers, and the tests of this folder, need PyTorch alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('mmcv', 'mmengine', 'mmpose', 'cv2', 'pycocotools'):
            raise ModuleNotFoundError(f'{name} is hidden')

sys.meta_path.insert(0, Hidden())
"""


def run(code):
    result = subprocess.run([sys.executable, '-c', HIDE + code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_any_network_without_mmpose():
    found = run(
        'import torch\n'
        'from dyconv_pose import DyConv2d, make_dynamic\n'
        'model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))\n'
        'print(make_dynamic(model, num_kernels=2, warm_start=True))\n'
        'assert isinstance(model[2], DyConv2d) and model(torch.zeros(2, 3, 8, 8)).shape == (2, 4, 6, 6)\n'
    )
    assert found == '1 dynamic: 2\n1 static, the first convolution: 0\n'


@pytest.mark.slow
def test_these_tests_without_mmpose():
    run(
        'import pytest\n'
        "arguments = ['--noconftest', '-q', '-p', 'no:cacheprovider', '-m', 'not slow', 'tests/test_layers']\n"
        'sys.exit(pytest.main(arguments))\n'
    )
