"""The tables of the networks for photographs: scores by tools/analysis_tools/record_run.py, and times."""

import json
from pathlib import Path

from analysis_tools.pages.fill import markdown_table

#: Columns of the table, and the metrics in them.
METRICS = {'AP': 'coco/AP', 'AP .5': 'coco/AP .5', 'AP .75': 'coco/AP .75', 'AR': 'coco/AR', 'PCK': 'lspet/PCK'}


def photographs(root: Path) -> str:
    """What each network scores, by AP; ``end_to_end`` of a record is the AP with the detector that ships."""
    records = [json.loads(path.read_text()) for path in (root / 'results/photographs_256x192').glob('*.json')]
    records.sort(key=lambda record: record['metrics']['coco/AP'])

    def figure(value: float | None) -> str:
        return '-' if value is None else f'{value:.3f}'

    rows = [
        [
            record['title'],
            f'{record["iterations"]:,}' if 'iterations' in record else '-',
            *(figure(record['metrics'].get(key)) for key in METRICS.values()),
            figure(record.get('end_to_end')),
        ]
        for record in records
    ]
    return markdown_table(['network', 'iterations', *METRICS, 'AP end to end'], rows)


def photograph_times(root: Path) -> str:
    """Milliseconds of ``benchmarks/photograph_times.py``, for each network on one and two threads."""
    results = json.loads((root / 'benchmarks/results/photograph_times.json').read_text())['results']
    names = next(iter(results.values()))
    rows = [[name, *(f'{figures[name]["median_ms"]:.0f}' for figures in results.values())] for name in names]
    return markdown_table(['ms', *(what.replace('1 threads', '1 thread') for what in results)], rows)


TABLES = {'photographs': photographs, 'photograph_times': photograph_times}
