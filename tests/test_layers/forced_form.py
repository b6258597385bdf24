"""Runs convolutions of batches in one form, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from dyconv_pose.layers.cpu import rule


@contextmanager
def forced_form(form: str | None) -> Iterator[None]:
    """Within it, one of the forms is chosen wherever it fits; ``None`` for the rule."""
    choose = rule.choose_form

    def chosen(x, geometry, is_mixture=True):
        fits = {'product': geometry.is_matmul, 'by_channel': geometry.groups == 1, 'single': False}.get(form, True)
        return form if form and fits and len(x) > 1 else choose(x, geometry, is_mixture)

    with patch.object(rule, 'choose_form', chosen):
        yield
