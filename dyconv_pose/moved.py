"""Says where a module or name of version 0.1 went (``moved.json``), to whoever still imports it from its old place."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NoReturn


@cache
def moved() -> dict[str, str]:
    """Old module or name -> what takes its place. A package covers what is in it and not named itself."""
    return json.loads(Path(__file__).with_suffix('.json').read_text())


def explain(name: str) -> None:
    """Raises for a full name that moved.

    Raises:
        ModuleNotFoundError: With the new place.
    """
    parts = name.split('.')
    for length in range(len(parts), 1, -1):
        place = moved().get('.'.join(parts[:length]))
        if place:
            raise ModuleNotFoundError(f'{name} moved in dyconv_pose 0.2, see CHANGELOG.md: {place}', name=name)


def getattr_of(package: str) -> Callable[[str], NoReturn]:
    """A module's ``__getattr__`` that explains the names that a package no longer has."""

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        explain(f'{package}.{name}')
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return __getattr__


class MovedFinder(MetaPathFinder):
    """Asked after all other finders, for modules that none of them has."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """Raises for a module that moved."""
        if name.startswith('dyconv_pose.'):
            explain(name)
        return None


if not any(isinstance(finder, MovedFinder) for finder in sys.meta_path):
    sys.meta_path.append(MovedFinder())
