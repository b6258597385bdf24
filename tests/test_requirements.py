"""What `make` installs is named to the exact version, down to the requirements of requirements."""

import re
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: pip itself comes with Python's venv.
FREE = {'pip', 'wheel', 'dyconv-pose'}


def canonical(name):
    return re.sub('[-_.]+', '-', name).lower()


def pins():
    found = {}
    for path in sorted((ROOT / 'requirements').glob('*.txt')):
        for line in path.read_text().splitlines():
            line = line.partition('#')[0].strip()
            if line:
                name, equal, version = line.partition('==')
                assert equal and re.fullmatch(r'[\w.]+', version), f'{path.name}: {line} names no exact version'
                found[canonical(name)] = version
    return found


def test_every_requirement_has_an_exact_version():
    assert {'torch', 'mmpose', 'onedl-mmengine', 'setuptools'} <= pins().keys()


@pytest.mark.skipif(Path(sys.prefix) != ROOT / '.venv', reason='another environment than that of "make" runs the tests')
def test_everything_installed_is_pinned():
    pinned = pins()
    # of this one folder: setuptools, once imported, shows what it carries within itself too
    found = distributions(path=[sysconfig.get_path('purelib')])
    installed = {canonical(one.metadata['Name']): one.version.partition('+')[0] for one in found}
    assert {name: version for name, version in installed.items() if pinned.get(name, version) != version} == {}
    assert sorted(installed.keys() - pinned.keys() - FREE) == []
