"""Runs per-sample convolutions of batches in one form, to measure it beside the one that the rule picks."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from torch import Tensor

from dyconv_pose.layers import forms


@contextmanager
def forced_form(form: str | None) -> Iterator[None]:
    """Within it, one of :data:`~dyconv_pose.layers.forms.FORMS` is chosen wherever it fits; ``None`` for the rule.

    Raises:
        ValueError: There is no such form.
    """
    if form is not None and form not in forms.FORMS:
        raise ValueError(f'A form of dynamic convolution must be one of {forms.FORMS}, got {form!r}.')
    choose = forms.choose_form

    def chosen(x: Tensor, geometry: forms.Geometry, is_mixture: bool = True) -> str:
        fits = {'product': geometry.is_matmul, 'by_channel': geometry.groups == 1, 'single': False}.get(form, True)
        return form if form and fits and len(x) > 1 else choose(x, geometry, is_mixture)

    with patch.object(forms, 'choose_form', chosen):
        yield
