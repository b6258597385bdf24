"""The tables of the networks for photographs and of the demo page, from the records of programs."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analysis_tools.pages.fill import markdown_table

#: Columns of the table, and the metrics in them.
METRICS = {'AP': 'coco/AP', 'AP .5': 'coco/AP .5', 'AP .75': 'coco/AP .75', 'AR': 'coco/AR', 'PCK': 'lspet/PCK'}


#: Records of the networks that ship, and of what people would take instead.
SHIPPED = (
    'movenet_lightning',
    'movenet_thunder',
    'x1.0-static',
    'dy-x1.0',
    'dy-x1.0-collapsed',
    'dy-x1.75-int8',
    'x1.75-static',
)


def photographs(root: Path, names: Sequence[str] = ('*',)) -> str:
    """What each network scores, by AP; ``end_to_end`` of a record is the AP with the detector that ships."""
    paths = [path for name in names for path in (root / 'results/photographs_256x192').glob(f'{name}.json')]
    records = [json.loads(path.read_text()) for path in paths]
    records.sort(key=lambda record: record['metrics']['coco/AP'])

    def figure(value: float | None) -> str:
        return '-' if value is None else f'{value:.3f}'

    rows = [
        [
            record['title'],
            _persons_seen(record),
            *(figure(record['metrics'].get(key)) for key in METRICS.values()),
            figure(record.get('end_to_end')),
        ]
        for record in records
    ]
    return markdown_table(['network', 'persons seen', *METRICS, 'AP end to end'], rows)


def _persons_seen(record: dict) -> str:
    """In how many crops, of all runs whose weights are averaged; iterations are of 32 where a record has no batch."""
    runs = record.get('runs', [record] if 'iterations' in record else [])
    return f'{round(sum(run["iterations"] * run.get("batch", 32) for run in runs), -3):,}' if runs else '-'


def demo_page(root: Path) -> str:
    """What tests/test_tools/test_demo_page.py found in a browser."""
    found = json.loads((root / 'benchmarks/results/demo_page.json').read_text())['demo_page']
    rows = [
        ('last run', f'{found["date"]}, {found["browser"]}'),
        (
            'largest distance of a drawn keypoint from where Python finds it',
            f'{found["pixels"]:.2f} pixels of 192x256',
        ),
    ]
    for key, threads in (('ms', 'one thread'), ('ms_with_threads', f'{found.get("threads")} threads')):
        if ms := found.get(key):
            rows += [
                (f'one person on {threads}: detector and dynamic network', f'{ms["photograph"]:.0f} ms'),
                (
                    f'one person on {threads}: the dynamic network alone; its static twin alone',
                    f'{ms["dynamic"]:.0f} ms; {ms["static"]:.0f} ms',
                ),
            ]
    return markdown_table(['test', 'found'], rows, left=2)


def photograph_times(root: Path) -> str:
    """Milliseconds of ``benchmarks/photograph_times.py``, for each network on one and two threads."""
    results = json.loads((root / 'benchmarks/results/photograph_times.json').read_text())['results']
    names = next(iter(results.values()))
    rows = [[name, *(f'{figures[name]["median_ms"]:.0f}' for figures in results.values())] for name in names]
    return markdown_table(['ms', *(what.replace('1 threads', '1 thread') for what in results)], rows)


TABLES = {
    'photographs': photographs,
    'shipped': partial(photographs, names=SHIPPED),
    'demo_page': demo_page,
    'photograph_times': photograph_times,
}
