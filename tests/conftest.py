"""Fixtures that more than one test module needs."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import dyconv_pose.registration  # noqa: F401

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
    """Names the file for what proofs of robustness count; benchmarks/prove_robustness.py gives it."""
    parser.addoption('--figures', metavar='FILE', help='write what the proofs of robustness count to this JSON file')


@pytest.fixture
def record(request):
    """A function that keeps figures of a topic; ``--figures FILE`` has them written there, for the documentation."""
    path = request.config.getoption('--figures')

    def keep(topic, **figures):
        print(f'{topic}: {figures}')
        if path:
            file = Path(path)
            content = json.loads(file.read_text()) if file.is_file() else {}
            content.setdefault(topic, {}).update(figures)
            file.write_text(json.dumps(content, indent=1) + '\n')

    return keep


@pytest.fixture
def unprinted_config(monkeypatch):
    """Keeps MMEngine from formatting configs for the log, which takes more time than a tiny training."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))
