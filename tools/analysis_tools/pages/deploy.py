"""Tables of deployed networks and of inference around them, from the JSON files that the benchmarks wrote."""

import json
from pathlib import Path

from .fill import markdown_table

#: What an operator of OpenVINO does in a deployed network; others are summed up.
_OPERATORS = {
    'Convolution': 'convolutions without groups',
    'GroupConvolution': 'depthwise convolutions',
    'Subgraph': 'mixing of kernels, small attentions, other elementwise work',
    'ReduceMean': "the attention's average pooling",
    'FullyConnected': "the attention's fully-connected layers",
}

_FORMS = {'static': 'static twin', 'batch_1': '`--batch 1`', 'any_batch': 'free batch size'}


def deploy_latency(root: Path) -> str:
    """Each network at batch 1 on one thread: its static twin, and its quickest form with weights in float32."""
    rows, header = [], ['network']
    for network, record in _record(root, 'deploy_latency').items():
        chosen = [row for row in record['rows'] if (row['batch'], row['threads']) == (1, 1)]
        static = {row['backend']: row['median_ms'] for row in chosen if row['form'] == 'static'}
        header = ['network', *(f'{name}: {what}' for name in static for what in ('static ms', 'dynamic ms', 'ratio'))]
        cells = [network]
        for backend, milliseconds in static.items():
            dynamic = [row for row in chosen if row['form'] != 'static' and row['backend'] == backend]
            exact = min((row for row in dynamic if row['weights'] == 'float32'), key=lambda row: row['over_static'])
            cells += [f'{milliseconds:.1f}', f'{exact["median_ms"]:.1f}', f'{exact["over_static"]:.2f}']
        rows.append(cells)
    return markdown_table(header, rows)


def deploy_forms(root: Path) -> str:
    """Every form of the network of which all were measured."""
    record = max(_record(root, 'deploy_latency').values(), key=lambda record: len(record['rows']))
    rows = {}
    for row in record['rows']:
        key = (row['backend'], _FORMS.get(row['form'], row['form']), row['weights'])
        rows.setdefault(key, {})[row['batch'], row['threads']] = f'{row["median_ms"]:.1f} ({row["over_static"]:.2f})'
    columns = sorted({place for cells in rows.values() for place in cells})
    header = ['runtime', 'form', 'weights', *(f'batch {batch}, {threads} thr.' for batch, threads in columns)]
    body = [[*key, *(cells.get(column, '-') for column in columns)] for key, cells in rows.items()]
    return markdown_table(header, body, left=3)


def deploy_profile(root: Path) -> str:
    """Where OpenVINO's time goes, by kind of operator."""
    columns = _record(root, 'openvino_profile')['milliseconds']
    named = {name: dict.fromkeys((*_OPERATORS.values(), 'all else'), 0) for name in columns}
    for name, kinds in columns.items():
        for kind, value in kinds.items():
            named[name][_OPERATORS.get(kind.removesuffix('Compressed'), 'all else')] += value
        named[name]['sum'] = sum(named[name].values())
    rows = [[kind, *(f'{column[kind]:.2f}' for column in named.values())] for kind in next(iter(named.values()))]
    return markdown_table(['milliseconds', *columns], rows)


def deploy_accuracy(root: Path) -> str:
    """By the weights' storage, the largest differences from PyTorch over runtimes and forms."""
    record, rows = _record(root, 'deploy_accuracy'), {}
    for of_set in record.values():
        grouped = {}
        for row in of_set['rows']:
            grouped.setdefault(row['weights'], []).append(row)
        for weights, group in grouped.items():
            sizes = sorted({f'{row["megabytes"]:.1f}' for row in group if row['megabytes']})
            moved, far = 'moved_by_more_than_0.1_px', 'largest_difference_px'
            change = max((row['ap_minus_torch'] for row in group), key=abs)
            cells = rows.setdefault(weights, [weights, ' or '.join(sizes) or '-'])
            cells += [
                f'{change:+.4f}',
                f'{max(row[far] for row in group):.2f}',
                f'{max(row[moved] for row in group):.1%}',
            ]
    header = ['weights', 'MB']
    for name, of_set in record.items():
        header += [f'{name} (AP {of_set["ap_of_torch"]:.4f}): AP', 'largest move, px', 'moved by over 0.1 px']
    return markdown_table(header, rows.values())


def pipeline_stages(root: Path) -> str:
    """Milliseconds a person of each stage of inference."""
    record = _record(root, 'inference_pipeline')
    share = f'{record["around_the_network_over_network"]:.1%}'
    cells = [f'{value:.2f}' for value in record['milliseconds_per_person'].values()]
    header = [*record['milliseconds_per_person'], 'all around the network, over the network']
    return markdown_table(header, [[*cells, share]], left=0)


def pipeline_against_mmpose(root: Path) -> str:
    """Images a second beside MMPose's inferencer."""
    rows = [
        [row['persons_per_image'], f'{row["images_per_second"]:.2f}', f'{row["mmpose_images_per_second"]:.2f}',
         f'{row["times_as_fast"]:.2f}', f'{row["largest_difference_px"]:.2f}']
        for row in _record(root, 'inference_pipeline')['against_mmpose']
    ]  # fmt: skip
    header = ['persons an image', 'images a second', "MMPose's", 'ratio', 'largest difference, px']
    return markdown_table(header, rows, left=0)


def _record(root: Path, name: str) -> dict:
    return json.loads((root / f'benchmarks/results/{name}.json').read_text())


def start_up(root: Path) -> str:
    """Seconds from the command line to the first overlay."""
    record = _record(root, 'start_up')
    names = [*record['median_s'], 'checkpoint over these imports']
    return markdown_table(
        names, [[f'{one:.2f}' for one in (*record['median_s'].values(), record['checkpoint_over_imports_s'])]]
    )


TABLES = {
    function.__name__: function
    for function in (deploy_latency, deploy_forms, deploy_profile, deploy_accuracy, pipeline_stages,
                     pipeline_against_mmpose, start_up)
}  # fmt: skip
