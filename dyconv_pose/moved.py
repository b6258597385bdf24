"""Says where a module or name of version 0.1 went (``moved.json``), to whoever still imports it from its old place."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path


@cache
def moved() -> dict[str, str]:
    """Old module or name -> what takes its place. A package covers what is in it and not named itself."""
    return json.loads(Path(__file__).with_suffix('.json').read_text())


def explain(name: str) -> None:
    """Raises a ModuleNotFoundError with the new place of a full name that moved."""
    parts = name.split('.')
    for length in range(len(parts), 1, -1):
        if place := moved().get('.'.join(parts[:length])):
            raise ModuleNotFoundError(f'{name} moved in dyconv_pose 0.2, see CHANGELOG.md: {place}', name=name)


def getattr_of(package: str, modules: Mapping[str, str] | None = None) -> Callable[[str], object]:
    """A package's ``__getattr__``: imports names from its modules when they are asked for; explains moved ones."""

    def __getattr__(name: str) -> object:  # noqa: N807
        if name in (modules or {}):
            return getattr(import_module(f'{package}.{modules[name]}'), name)
        explain(f'{package}.{name}')
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return __getattr__


class MovedFinder:
    """Asked after all other finders, for modules that none of them has."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Raises for a module that moved."""
        if name.startswith('dyconv_pose.'):
            explain(name)


sys.meta_path.append(MovedFinder)
