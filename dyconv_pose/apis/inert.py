"""Stand-ins with which a checkpoint is unpickled: they keep plain values and do nothing else.

An MMEngine checkpoint holds, besides tensors, NumPy arrays and the run's log. Letting the unpickler have NumPy's own
classes would be unsafe: a file can give ``dtype.__setstate__`` flags that make raw bytes pass for Python objects,
and whoever then reads the array follows a forged pointer. So arrays are collected as shape, kind and bytes, and made
by :func:`resolve` after the unpickling, of numbers and text only.
"""

import re
from pickle import UnpicklingError

import numpy as np
from mmengine.logging import HistoryBuffer

#: Kinds of element that hold no Python object: truth values, integers, floats, complex numbers, bytes, text.
_PLAIN_KIND = re.compile(r'[biufcSU]\d+')


class Nothing:
    """Stands in for the functions that the log refers to; resolved to ``None``."""

    def __init__(self, *args) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class Dtype:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, kind: object = None, *args) -> None:
        if not isinstance(kind, str) or not _PLAIN_KIND.fullmatch(kind):
            raise UnpicklingError(f'an array of numbers or text is expected, got one of {kind!r}')
        self.kind, self.byte_order = kind, '='

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ('<', '>'):
            self.byte_order = state[1]

    def resolve(self) -> np.dtype:
        """The dtype itself."""
        return np.dtype(self.byte_order + self.kind)


class Array:
    """Stands in for ``numpy.ndarray`` and for the function that begins one."""

    def __init__(self, *args) -> None:
        self.parts = ((0,), None, False, b'')

    def __setstate__(self, state: tuple) -> None:
        _, *parts = state
        self.parts = parts

    def resolve(self) -> np.ndarray:
        """The array itself; a ValueError where the parts do not fit together."""
        shape, dtype, is_fortran, content = self.parts
        if not isinstance(dtype, Dtype) or not isinstance(content, bytes):
            raise ValueError('an array without a kind or content')
        array = np.frombuffer(content, dtype.resolve())
        return array.reshape(shape, order='F' if is_fortran else 'C').copy()


class Scalar(Array):
    """Stands in for the function that makes a NumPy number."""

    def __init__(self, dtype: object = None, content: object = b'', *args) -> None:
        self.parts = ((), dtype, False, content)

    def resolve(self) -> np.generic:
        """The number itself."""
        return super().resolve()[()]


class History:
    """Stands in for MMEngine's HistoryBuffer, the log of one scalar."""

    def __init__(self, *args) -> None:
        self.state: object = {}

    def __setstate__(self, state: object) -> None:
        self.state = state

    def resolve(self) -> HistoryBuffer:
        """The log, of the numbers alone; a ValueError where they are none."""
        state = self.state if isinstance(self.state, dict) else {}
        parts = [state.get(key) for key in ('_log_history', '_count_history')]
        values, counts = (part.resolve() if isinstance(part, Array) else np.zeros(0) for part in parts)
        length = state.get('max_length')
        if values.ndim != 1 or values.shape != counts.shape or values.dtype.kind not in 'fiu':
            raise ValueError('a log without numbers')
        return HistoryBuffer(values, counts, length if isinstance(length, int) and length > 0 else 1_000_000)


def stand_ins() -> list:
    """What the weights-only unpickler is to find under the names that an MMEngine checkpoint refers to."""
    names = {
        'numpy.ndarray': Array,
        'numpy.dtype': Dtype,
        'mmengine.logging.history_buffer.HistoryBuffer': History,
        'builtins.getattr': Nothing,
    }
    for package in ('numpy._core.multiarray', 'numpy.core.multiarray'):  # NumPy 2 and 1
        names |= {f'{package}._reconstruct': Array, f'{package}.scalar': Scalar}
    return [(stand_in, name) for name, stand_in in names.items()]


def resolve(value: object, _done: dict | None = None) -> object:
    """Replaces the stand-ins within lists, tuples and dictionaries (these in place) by what they stand for.

    Raises:
        ValueError: An array's parts do not fit together.
        RecursionError: The value contains itself.
    """
    done = {} if _done is None else _done  # shared parts are visited once
    if id(value) in done:
        return done[id(value)][1]
    result = value
    if isinstance(value, Nothing) or (isinstance(value, type) and value in (Nothing, Array, Scalar, Dtype, History)):
        result = None
    elif isinstance(value, Array | Dtype | History):
        result = value.resolve()
    elif isinstance(value, dict):
        for key in value:
            value[key] = resolve(value[key], done)
    elif type(value) in (list, tuple):
        result = type(value)(resolve(item, done) for item in value)
    done[id(value)] = (value, result)  # the value too, or its id could be used again
    return result
