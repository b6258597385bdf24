"""The tables of docs/family.md: the operators side by side on photographs, and counts beside those of their authors."""

import json
from pathlib import Path
from statistics import mean

from analysis_tools.costs.authors import AUTHORS
from analysis_tools.pages.fill import markdown_table
from analysis_tools.pages.networks import counted
from experiments.description import load_experiment
from experiments.records import read_records
from experiments.report import paired_similarity

EXPERIMENT = 'family_cpu'

#: Columns of times, by the name in ``benchmarks/family_cost.py``.
TIMES = {
    'step': 'training step',
    'infer_16': 'inference, batch 16',
    'infer_1': 'batch 1',
    'onnxruntime': 'ONNX Runtime',
    'openvino': 'OpenVINO',
}


def comparison(root: Path) -> list[dict]:
    """A row for each network of the experiment: what it costs and what it scores.

    ``ap`` and ``oks`` are in points, ``oks`` a :class:`~experiments.report.Summary` of the difference to the static
    network, ``None`` for that one itself; ``times`` are the figures of ``benchmarks/family_cost.py``.
    """
    experiment = load_experiment(root / f'configs/experiments/{EXPERIMENT}.py')
    records = read_records(root / f'results/{EXPERIMENT}.jsonl')
    costs = counted(root)['experiments'][EXPERIMENT]
    times = json.loads((root / 'benchmarks/results/family_cost.json').read_text())['networks']
    rows = []
    for name in experiment.networks:
        scores = [100 * record['metrics']['coco/AP'] for record in records if record['network'] == name]
        oks = paired_similarity(records, name, 'static') if name != 'static' else None
        rows.append(dict(name=name, ap=scores, oks=oks, times=times[name], **costs[name]))
    return rows


def family_comparison(root: Path) -> str:
    """Parameters, multiply-adds, times over the static network's, AP of each seed, and the paired difference of OKS."""
    rows = []
    for row in comparison(root):
        ratios = [f'{row["times"][work]["over_static"]:.2f}' for work in TIMES]
        ap = f'{mean(row["ap"]):.1f} ({", ".join(f"{one:.1f}" for one in row["ap"])})' if row['ap'] else '-'
        oks = row['oks'].with_interval() if row['oks'] else '-'
        rows.append([row['name'], f'{row["params"] / 1e6:.2f}M', f'{row["madds"] / 1e6:.0f}M', *ratios, ap, oks])
    return markdown_table(['network', 'params', 'MAdds', *TIMES.values(), 'AP', 'OKS over static'], rows)


def family_counts(root: Path) -> str:
    """MobileNetV2 on ImageNet: parameters and multiply-adds as counted here, and as the authors state them."""
    ours, rows = counted(root)['family'], []
    for row in AUTHORS:
        cost = ours[f'{row.width} {row.operator}']
        counts = [f'{cost["params"] / 1e6:.2f}M', f'{row.params}M', f'{cost["madds"] / 1e6:.1f}M']
        rows.append([f'{row.width} {row.operator}', *counts, f'{row.madds}M' if row.madds else '-', row.source])
    header = ['MobileNetV2', 'params', 'theirs', 'MAdds', 'theirs', 'stated in']
    return markdown_table(header, rows)


TABLES = {'family_comparison': family_comparison, 'family_counts': family_counts}
