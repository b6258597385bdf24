"""Fixtures that more than one test module needs."""

import warnings

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import dyconv_pose  # noqa: F401

from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def _quiet_and_seeded():
    """Every test starts from one seed, in MMPose's scope, without the log lines of init_weights."""
    init_default_scope('mmpose')
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the tests run in several processes


def pytest_addoption(parser):
    """Names the file for what the tests of test_robustness count; tools/prove_robustness.py gives it."""
    parser.addoption('--figures', metavar='FILE', help='write what the robustness tests count to this JSON file')
