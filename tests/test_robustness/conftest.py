"""A place where the proofs write down what they counted, for the page on robustness."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config


@pytest.fixture
def record(request):
    """A function that keeps figures under the test's topic; ``--figures FILE`` has them written there."""
    path = request.config.getoption('--figures')

    def keep(topic, **figures):
        print(f'{topic}: {figures}')
        if path:
            file = Path(path)
            content = json.loads(file.read_text()) if file.is_file() else {}
            content.setdefault(topic, {}).update(figures)
            file.write_text(json.dumps(content, indent=1) + '\n')

    return keep


@pytest.fixture(autouse=True)
def _config_is_not_printed(monkeypatch):
    """Formatting a config takes more time than these trainings."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))
