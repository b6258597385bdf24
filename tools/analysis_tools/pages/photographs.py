"""The table of the networks for photographs, from the records of tools/analysis_tools/record_run.py."""

import json
from pathlib import Path

from analysis_tools.pages.fill import markdown_table

#: Columns of the table, and the metrics in them.
METRICS = {'AP': 'coco/AP', 'AP .5': 'coco/AP .5', 'AP .75': 'coco/AP .75', 'AR': 'coco/AR', 'PCK': 'lspet/PCK'}


def photographs(root: Path) -> str:
    """What each network scores, by iterations and AP."""
    records = [json.loads(path.read_text()) for path in (root / 'results/photographs_256x192').glob('*.json')]
    records.sort(key=lambda record: (record.get('iterations', 0), record['metrics']['coco/AP']))
    rows = [
        [
            record['title'],
            f'{record.get("iterations", 0):,}',
            *(f'{record["metrics"][key]:.3f}' for key in METRICS.values()),
        ]
        for record in records
    ]
    return markdown_table(['network', 'iterations', *METRICS], rows)


TABLES = {'photographs': photographs}
