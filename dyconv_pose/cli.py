"""What the tools share: a user's mistake becomes one sentence and a non-zero exit."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

#: Set to anything, this environment variable shows the whole traceback of a user's mistake.
TRACEBACK_VARIABLE = 'DYCONV_POSE_TRACEBACK'


def run(main: Callable[[], int | None]) -> NoReturn:
    """Runs a tool and exits with its status: 0 or what it returns, 2 for a user's mistake, 130 when interrupted.

    A user's mistake is a ``ValueError``, a ``FileNotFoundError`` or an ``ImportError`` (of something optional); a
    ``FloatingPointError``, for a loss that is no number, ends a tool in the same way.
    """
    try:
        sys.exit(main() or 0)
    except (ValueError, FileNotFoundError, FloatingPointError, ImportError) as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
