"""The changelog's table of what moved."""

import json
from pathlib import Path

from .fill import markdown_table


def moved(root: Path) -> str:
    """Old modules and names, and what takes their place."""
    table = json.loads((root / 'dyconv_pose/moved.json').read_text())
    return markdown_table(['0.1', '0.2'], [[f'`{old}`', new] for old, new in table.items()], left=2)


TABLES = {'moved': moved}
