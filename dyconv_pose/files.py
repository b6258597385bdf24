"""Reading JSON with a clear error, and writing files whole or not at all. Needs the standard library alone."""

import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What the name of a file ends with while it is being written.
PARTIAL_SUFFIX = '.partial'

#: What a :func:`reading_once` block has read, by path; ``None`` outside of one.
_contents: dict[Path, object] | None = None


@contextmanager
def reading_once() -> Iterator[None]:
    """Within this block :func:`read_json` parses each file once, and all readers share its content."""
    global _contents
    before, _contents = _contents, {} if _contents is None else _contents
    try:
        yield
    finally:
        _contents = before


def read_json(path: str | Path, kind: str = 'file') -> object:
    """Reads a JSON file; a FileNotFoundError or ValueError calls it by its kind, such as ``'annotations'``."""
    key = Path(path).resolve()
    if _contents is not None and key in _contents:
        return _contents[key]
    if not key.is_file():
        raise FileNotFoundError(f'The {kind} must be in an existing JSON file, got "{path}".')
    was_collecting = gc.isenabled()
    gc.disable()  # collecting garbage doubles the time of building millions of lists
    try:
        content = json.loads(key.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'The {kind} must be in a JSON file, and "{path}" is no valid JSON: {error}.') from error
    except OSError as error:
        raise ValueError(f'The {kind} cannot be read from "{path}": {error.strerror}.') from error
    finally:
        if was_collecting:
            gc.enable()
    if _contents is not None:
        _contents[key] = content
    return content


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Writes a file aside, brings it to the disk and renames it, so that its name never stands for a part of it.

    Its folder is made where it does not exist. An OSError is raised, and nothing left, where the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open('wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
