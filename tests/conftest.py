"""Fixtures that more than one test module needs."""

import gc
import json
import runpy
import sys
import warnings
from functools import cache
from pathlib import Path

import pytest


@cache
def prepare():
    """Makes MMPose importable, and spares the tests what MMEngine does in vain."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import dyconv_pose.registration  # noqa: F401

    from mmengine.config import config
    from yapf.yapflib import yapf_api

    # It formats a config's text for every log and checkpoint, which takes more time than a tiny training does.
    yapf_api.FormatCode = lambda text, **style: (text, True)
    # It reads MMPose's index of all its models for each config that has a base there.
    config._get_external_cfg_path = cache(config._get_external_cfg_path)


def pytest_collectstart():
    """Not on import: the process that hands the tests out to others runs none."""
    prepare()


@pytest.fixture(autouse=True)
def _quiet_and_seeded():
    """Every test starts from one seed, in MMPose's scope, without the log lines of init_weights."""
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    init_default_scope('mmpose')
    MMLogger._instance_dict.clear()  # a run's logger is named by the second, and would be that of a test before it
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the tests run in several processes


@pytest.fixture(autouse=True, scope='module')
def _old_objects_are_kept():
    """Spares the garbage collector the objects of all imports, which MMEngine has it search for each dataset."""
    gc.collect()
    gc.freeze()


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
def run_tool(tmp_path, monkeypatch, capfd):
    """Runs a tool as the command line would, but in this process; returns its exit status and all its output."""
    import torch

    monkeypatch.setattr(torch.utils.data._utils, 'MP_STATUS_CHECK_INTERVAL', 0.5)  # a worker's end is waited for
    monkeypatch.chdir(tmp_path)

    def run(tool, *args):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(Path(__file__).parents[1] / 'tools' / tool), run_name='__main__')
        code = stop.value.code
        captured = capfd.readouterr()
        return code, captured.out + captured.err

    return run
