"""Tables of what dynamic networks cost in PyTorch, from the JSON files that the benchmarks wrote."""

import json
from pathlib import Path

from .fill import markdown_table

_STATIC, _DYNAMIC = 'static, channels_last', 'dynamic, channels_last'


def operator_networks(root: Path) -> str:
    """Whole networks, dynamic against static, both in channels_last."""
    rows = []
    for result in _results(root):
        row = [result['network'], result['batch'], result['threads'], 'yes' if result['keep_memory'] else 'no']
        for part in ('infer', 'step'):
            if part in result:
                static, dynamic = result[part][_STATIC], result[part][_DYNAMIC]
                row += [f'{one["median_ms"]:.0f}' for one in (static, dynamic)] + [f'{dynamic["over_static"]:.2f}']
            else:
                row += ['-'] * 3
        peaks = result.get('step_peak_mib')
        rows.append([*row, f'{peaks[_STATIC]}, {peaks[_DYNAMIC]}' if peaks else '-', result['rounds']])
    header = ['network', 'batch', 'threads', 'memory kept', 'inference: static ms', 'dynamic ms', 'ratio']
    header += ['training step: static ms', 'dynamic ms', 'ratio', 'peak MiB: static, dynamic', 'rounds']
    return markdown_table(header, rows)


def operator_forms(root: Path) -> str:
    """Memory formats and forms of execution, as ratios to the static network in channels_last."""
    rows = {}
    for result in (result for result in _results(root) if len(result['infer']) > 2):
        case = f'batch {result["batch"]}, {result["threads"]} thread{"s" * (result["threads"] > 1)}'
        for part, name in (('infer', 'inference'), ('step', 'training step')):
            for form, times in result.get(part, {}).items():
                rows.setdefault(form, {})[f'{name}, {case}'] = f'{times["over_static"]:.2f}'
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    body = [[form, *(row.get(column, '-') for column in columns)] for form, row in rows.items()]
    return markdown_table(['mobilenetv2-bneck', *columns], body)


def operator_work(root: Path) -> str:
    """Where the time of batches goes, by kind of operator, as PyTorch's profiler saw it."""
    columns = {}
    for result in (result for result in _results(root) if result['batch'] > 1):
        for part, name in (('infer', 'inference'), ('step', 'step')):
            for network, spent in result.get(f'{part}_work_ms', {}).items():
                title = f'{result["network"]}, batch {result["batch"]}, {name}: {network.partition(",")[0]}'
                columns[title] = spent | {'all': sum(spent.values())}
    kinds = next(iter(columns.values()))
    rows = [[kind, *(f'{column[kind]:.0f}' for column in columns.values())] for kind in kinds]
    return markdown_table(['ms', *columns], rows)


def operator_layers(root: Path) -> str:
    """Every dynamic layer of a network alone, summed by kind, in every form."""
    record = json.loads((root / 'benchmarks/results/layer_cost.json').read_text())
    names = list(next(iter(record['totals_ms'].values())))
    rows = [
        [key, *(f'{total[name]:.0f} ({total[name] / total["static"]:.2f})' for name in names)]
        for key, total in record['totals_ms'].items()
    ]
    return markdown_table(['ms (ratio)', *names], rows)


def operator_peers(root: Path) -> str:
    """Single layers at the shapes of other implementations, in milliseconds."""
    rows = json.loads((root / 'benchmarks/results/peer_layers.json').read_text())['rows']
    settings, names = ['layer', 'batch', 'threads', 'memory_format'], list(rows[0]['times'])
    body = [
        [*(row[key] for key in settings), *(f'{row["times"][name]["median_ms"]:.2f}' for name in names)] for row in rows
    ]
    return markdown_table(['layer', 'batch', 'threads', 'format', *names], body)


def operator_gpu(root: Path) -> str:
    """A backbone on a GPU: milliseconds and, but for the quicker static network, their ratio to it."""
    rows = json.loads((root / 'benchmarks/results/gpu_cost.json').read_text())['networks']
    names = list(rows[0]['infer'])
    body = [
        [row['batch'], 'float16' if row['amp'] else 'float32', label]
        + [f'{row[part][name]["median_ms"]:.1f} ({row[part][name]["over_static"]:.2f})' for name in names]
        for row in rows
        for part, label in (('infer', 'inference'), ('step', 'training step'))
    ]
    return markdown_table(['batch', 'type', 'ms (ratio)', *names], body)


def robustness(root: Path) -> str:
    """What the robustness tests counted, by ``benchmarks/prove_robustness.py``."""
    found = json.loads((root / 'benchmarks/results/robustness.json').read_text())['figures']
    runs, kills, writing = (sum(row[key] for row in found['kills'].values())
                            for key in ('runs', 'kills', 'while_writing'))  # fmt: skip
    cases, refused = (sum(row[key] for row in found['fuzzed files'].values()) for key in ('cases', 'refused'))
    spoiled, layer, two, leaks = (found[key] for key in ('spoiled annotations', 'fuzzed layer', 'two processes',
                                                         'leaks'))  # fmt: skip
    errors = sum(severity == 'error' for severity in spoiled.values())
    dead = found['dead process'].values()
    empty, single, strided = layer['of_batch_0'], layer['of_batch_1'], layer['not_contiguous']
    rows = [
        ('training runs killed (SIGKILL) and resumed', runs, f'{kills} kills, {writing} during a checkpoint write'),
        ('full disks', len(found['full disk']), ', '.join(found['full disk'])),
        ('dataset sizes scored by 2 processes', len(two['numbers_of_persons']), 'AP equal to the last digit'),
        ('iterations of 2 processes against 1', two['training_iterations'],
         f'weights {two["weights_apart"]:.0e} apart, moved {two["weights_moved_in_an_epoch"]:.1f} an epoch'),
        ('killed processes of a job', len(dead), f'the rest ended after {min(dead)} to {max(dead)} s'),
        ('malicious checkpoints', len(found['malicious checkpoints refused']), 'all refused'),
        ('spoiled annotation files', len(spoiled), f'{errors} found as errors, {len(spoiled) - errors} as warnings'),
        ('random layers against a loop over the samples', f'{layer["cases"]:,}',
         f'{empty:,} with batch 0, {single:,} with batch 1, {strided:,} not contiguous'),
        ('fuzzed files and inputs', f'{cases:,}', f'{refused:,} refused with an error message'),
        ('inference calls', f'{leaks["inference_calls"]:,}', f'memory grew by {leaks["inference_growth_mb"]} MB'),
        ('training iterations', leaks['training_iterations'],
         f'memory grew by {leaks["training_growth_mb"]} MB, the log by {leaks["log_bytes_per_iteration"]} bytes each'),
    ]  # fmt: skip
    return markdown_table(['test', 'cases', 'outcome'], rows, left=3)


def _results(root: Path) -> list[dict]:
    return json.loads((root / 'benchmarks/results/network_cost.json').read_text())['results']


TABLES = {
    function.__name__: function
    for function in (
        operator_networks,
        operator_forms,
        operator_work,
        operator_layers,
        operator_peers,
        operator_gpu,
        robustness,
    )
}
