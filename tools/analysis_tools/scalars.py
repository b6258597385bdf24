"""The scalars that MMEngine's local backend writes during a training."""

import json
from pathlib import Path


def read_scalars(work_dir: str | Path) -> list[dict[str, float]]:
    """Reads every scalar that was logged in a work directory, in order of time, over all its runs.

    Raises:
        FileNotFoundError: The directory holds no log.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'A work directory must hold <time>/vis_data/scalars.json, "{work_dir}" holds none.')
    return [json.loads(line) for file in files for line in file.read_text().splitlines() if line.strip()]
