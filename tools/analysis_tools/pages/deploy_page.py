"""The page of the benchmarks, whose figures are those of the JSON files that the benchmarks wrote."""

import json
from pathlib import Path

from .markdown import markdown_table

#: What an operator of OpenVINO does in a deployed network; others are summed up.
_OPERATORS = {
    'Convolution': 'convolutions without groups',
    'GroupConvolution': 'depthwise convolutions',
    'Subgraph': 'mixing of kernels, small attentions, other elementwise work',
    'ReduceMean': "the attention's average pooling",
    'FullyConnected': "the attention's fully-connected layers",
}

_BODIES = ('MobileNetV2 x1.0', 'MobileNetV2 x0.5', 'MobileNetV3-Small', 'ResNet-18')

_FORMS = {'static': 'static twin', 'batch_1': '`--batch 1`', 'any_batch': 'free batch size'}


def benchmarks_page(root: Path) -> str:
    """The text of ``benchmarks/README.md``.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    results = root / 'benchmarks/results'
    latency, accuracy, profile, pipeline = (
        json.loads((results / f'{name}.json').read_text())
        for name in ('deploy_latency', 'deploy_accuracy', 'openvino_profile', 'inference_pipeline')
    )
    missing = [f'{body}, type {head}' for body in _BODIES for head in 'AB' if f'{body}, type {head}' not in latency]
    return _PAGE.format(
        summary=_summary(latency),
        latency=_latency(latency),
        missing=f'Not measured yet: {"; ".join(missing)}.' if missing else '',
        turns=' or '.join(sorted({str(record['rounds_at_batch_1']) for record in latency.values()})),
        machine=_machine(next(iter(latency.values()))),
        profile=_profile(profile),
        profiled=profile['network'],
        pictures='; '.join(accuracy),
        accuracy=_accuracy(accuracy),
        pipeline=_pipeline(pipeline),
    )


def _machine(record: dict) -> str:
    versions = ', '.join(f'{name} {number}' for name, number in record['versions'].items())
    return f'{record["machine"]}; {versions}'


def _summary(latency: dict) -> str:
    """The best ratio of each network at batch 1 on one thread."""
    rows = []
    for network, record in latency.items():
        chosen = [row for row in record['rows'] if (row['batch'], row['threads']) == (1, 1)]
        static = {row['backend']: row['median_ms'] for row in chosen if row['form'] == 'static'}
        cells = [network]
        for backend in static:
            dynamic = [row for row in chosen if row['form'] != 'static' and row['backend'] == backend]
            exact = min((row for row in dynamic if row['weights'] == 'float32'), key=lambda row: row['over_static'])
            cells += [f'{static[backend]:.1f}', f'{exact["median_ms"]:.1f}', f'{exact["over_static"]:.2f}']
        rows.append(cells)
    header = ['network']
    for backend in static:
        header += [f'{backend}: static ms', 'dynamic ms', 'ratio']
    return markdown_table(header, rows, 1)


def _latency(latency: dict) -> str:
    parts = []
    for network, record in latency.items():
        rows = {}
        for row in record['rows']:
            key = (row['backend'], _FORMS.get(row['form'], row['form']), row['weights'])
            rows.setdefault(key, {})[row['batch'], row['threads']] = row
        columns = sorted({place for cells in rows.values() for place in cells})
        header = ['runtime', 'form', 'weights', *(f'batch {batch}, {threads} thr.' for batch, threads in columns)]
        body = [
            [*key, *(f'{cells[c]["median_ms"]:.1f} ({cells[c]["over_static"]:.2f})' if c in cells else '-'
                     for c in columns)]
            for key, cells in rows.items()
        ]  # fmt: skip
        parts.append(f'### {network}\n\n{markdown_table(header, body, 3)}')
    return '\n'.join(parts)


def _profile(profile: dict) -> str:
    columns = profile['milliseconds']
    named = {name: {} for name in columns}
    for name, kinds in columns.items():
        for kind, value in kinds.items():
            kind = _OPERATORS.get(kind.removesuffix('Compressed'), 'all else')
            named[name][kind] = named[name].get(kind, 0) + value
    rows = [
        [kind, *(f'{named[name].get(kind, 0):.2f}' for name in columns)] for kind in (*_OPERATORS.values(), 'all else')
    ]
    rows.append(['sum', *(f'{sum(named[name].values()):.2f}' for name in columns)])
    return markdown_table(['milliseconds', *columns], rows, 1)


def _accuracy(accuracy: dict) -> str:
    parts = []
    for name, record in accuracy.items():
        rows = [
            [
                row['where'],
                row['weights'],
                f'{row["megabytes"]:.1f}' if row['megabytes'] else '-',
                f'{row["ap"]:.4f}',
                f'{row["ap_minus_torch"]:+.4f}',
                f'{row["largest_difference_px"]:.2f}',
                f'{row["moved_by_more_than_0.1_px"]:.2%}',
            ]
            for row in record['rows']
        ]
        header = ['where', 'weights', 'MB', 'AP', 'less that of PyTorch', 'largest move, pixels', 'moved by over 0.1']
        parts.append(
            f'On {name}, {record["persons"]} persons, `{record["checkpoint"]}`, AP {record["ap_of_torch"]:.4f} in '
            f'PyTorch as trained ({_machine(record)}):\n\n{markdown_table(header, rows, 2)}'
        )
    return '\n'.join(parts)


def _pipeline(record: dict) -> str:
    stages = record['milliseconds_per_person']
    flip = 'with' if record['flip_test'] else 'without'
    threads = f'{record["threads"]} thread{"s" if record["threads"] > 1 else ""}'
    rows = [
        [
            str(row['persons_per_picture']),
            f'{row["pictures_per_second"]:.2f}',
            f'{row["mmpose_pictures_per_second"]:.2f}',
            f'{row["times_as_fast"]:.2f}',
            f'{row["largest_difference_px"]:.2f}',
        ]
        for row in record['against_mmpose']
    ]
    header = ['persons a picture', 'pictures a second', "MMPose's", 'ratio', 'largest difference, pixels']
    share = f'{record["around_the_network_over_network"]:.1%}'
    return '\n'.join(
        [
            f'`{record["config"]}` {flip} flip test, batches of {record["batch_size"]}, {threads}, {_machine(record)}.',
            f'All that is around the network takes {share} of the time that the network takes.',
            '',
            markdown_table(['milliseconds a person', *stages], [['', *(f'{v:.2f}' for v in stages.values())]], 1),
            markdown_table(header, rows, 0),
        ]
    )


_PAGE = """<!-- Written by tools/make_docs.py from the files in benchmarks/results. -->

# Benchmarks

## Latency of deployed networks

```bash
pip install --no-deps -r requirements/openvino.txt
python benchmarks/deploy_latency.py --networks 'MobileNetV2 x1.0, type B' --weights float32 float16 int8 \\
    --out benchmarks/results/deploy_latency.json
python benchmarks/deploy_latency.py --networks 'MobileNetV2 x0.5, type B' --plans batch_1 \\
    --out benchmarks/results/deploy_latency.json  # and so for every other network
```

Networks at 256x192 against their static twins, which are deployed in the same way and run in the same runtime. The
networks take turns in one process. A cell holds the median in milliseconds of the whole batch and, in brackets, its
ratio to the static twin; quartiles are in the JSON file. Batches of one took {turns} turns, larger ones fewer. Other
programs ran on the machine now and then, which shows most in the columns of two threads, on its two cores. {missing}

{machine}.

At batch 1 on one thread, weights in float32, in the quickest form measured:

{summary}
What this says:

- For a CPU, export a dynamic network with `--batch 1` and run it in OpenVINO, several persons too, which it then takes
  one by one.
- ONNX Runtime costs more, whatever the form of the graph: it can pack constant kernels once, when it loads the file,
  and computed ones at every run. Depthwise layers that stay static should help there; that is not measured.
- Weights in int8 or float16 make the bank, which is read whole at every run, a quarter or half of its size. OpenVINO
  widens constants when it compiles a model. So the runtime here gives it such banks as inputs, and it widens them
  within the loop that mixes them.

{latency}
## What limits it

```bash
python benchmarks/openvino_profile.py --files work_dirs/exported --out benchmarks/results/openvino_profile.json
```

{profiled} on one thread, OpenVINO with its timers on (which adds to every operator):

{profile}
So the bank is not the whole of it: pooling reads the input of every layer once more, and the attention's first layers
have weights of their own to read. Both are left, in any number of bits.

What was tried to lower it, in OpenVINO with `--batch 1`, as it was noted at the time and is not recorded in files:

- Kept, and exact: the kernels of a layer as one constant each, mixed as matrices and not with the four or five
  dimensions of a kernel. The result needs no reordering.
- Kept, as `--weights`: the bank in float16 or int8 as an input. With kernels of one dimension more or less than the
  attention it is several times as slow, since OpenVINO does not join the dimensions of operands of different rank.
- Slower: the mixture as a matrix product; pointwise layers as matrix products and depthwise layers as mixtures of
  outputs, for which features change their layout.
- Kept, as part of `--weights int8`: the first layers of the attention, which OpenVINO multiplies with as they are.
- No difference beyond the noise: `AveragePool` for `ReduceMean`.
- Gave about a hundredth, left out because it ties layers together: pooling before the head's upsampling, which does
  not change the mean.
- Not tried, since it reads the same bank: differences to a base kernel, which saves one product of K.

## Accuracy of deployed networks

```bash
python benchmarks/deploy_accuracy.py --out benchmarks/results/deploy_accuracy.json
python benchmarks/deploy_accuracy.py --name 'photographs of COCO val2017' --pictures data/coco/val2017 \\
    --annotations data/coco/annotations/person_keypoints_val2017.json --out benchmarks/results/deploy_accuracy.json
```

At the annotated boxes, with flip test. The network was trained on drawn people alone, so that on photographs only the
difference counts. Measured are: {pictures}.

{accuracy}
## Inference around the network

```bash
python benchmarks/inference_pipeline.py --rounds 6 --out benchmarks/results/inference_pipeline.json
```

{pipeline}
Both run in one process, which keeps the memory that it frees, as `tools/infer.py` does and MMPose's tools do not.
`MMPoseInferencer` takes one picture at a time; batches are of persons, here across pictures.

What the tool is: [the page on inference](../docs/infer.md#speed); what exported files are and how they are made:
[the page on deploying](../docs/deploy.md).
"""
