"""A user's mistake in a tool: one sentence and a non-zero exit."""

import sys
from collections.abc import Callable
from typing import NoReturn


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs a tool and exits with its status: 0 or what it returns, 2 for a user's mistake, 130 when interrupted."""
    try:
        sys.exit(main() or 0)
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        if isinstance(error, OSError) and error.filename:  # the system's own: no right, a full disk
            error = f'"{error.filename}" cannot be read or written: {error.strerror}.'
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
