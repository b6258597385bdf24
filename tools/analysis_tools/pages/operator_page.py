"""The page of what dynamic networks cost in PyTorch, from the JSON files that the benchmarks wrote."""

import json
from pathlib import Path

from .markdown import markdown_table

#: What the benchmarks write.
NETWORKS, LAYERS = 'benchmarks/results/network_cost.json', 'benchmarks/results/layer_cost.json'


def operator_page(root: Path) -> str:
    """The text of docs/operator.md.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    return _PAGE.format(
        networks=_networks(root / NETWORKS),
        clearing=_clearing(root / NETWORKS),
        layers=_layers(root / LAYERS),
        work=_work(root / NETWORKS),
    )


def _networks(path: Path) -> str:
    if not path.is_file():
        return 'Not recorded yet.\n'
    record, parts = json.loads(path.read_text()), []
    for result in record['results']:
        threads = f'{result["threads"]} thread{"s" if result["threads"] > 1 else ""}'
        folded = ', folded by `to_deploy`' if result['deployed'] else ''
        kept = ', memory kept' if result.get('keep_memory') else ''
        turns = f'{result["rounds"]} turns' + (f' of {result["in_a_row"]}' if result['in_a_row'] > 1 else '')
        parts.append(f'### {result["network"]}, batch {result["batch"]}, {threads}{folded}{kept}\n\n{turns}\n')
        present = [part for part in ('infer', 'step') if part in result]
        memory = result.get('step_peak_mib', {})
        rows = []
        for name in result[present[0]]:
            cells = []
            for part in present:
                low, high = result[part][name]['quartiles_ms']
                cells += [f'{result[part][name]["over_static"]:.2f}', f'{low:.0f} to {high:.0f}']
            rows.append([name, *cells, *([f'{memory[name]}'] if memory else [])])
        names = {'infer': 'inference', 'step': 'training step'}
        header = ['network', *(text for part in present for text in (f'{names[part]}: ratio', 'ms'))]
        parts.append(markdown_table([*header, *(['peak MiB'] if memory else [])], rows, left=1))
    return '\n'.join([_source(record), '', *parts])


def _clearing(path: Path) -> str:
    """How much longer networks take where memory is not kept, as parts of the time that they take where it is."""
    results = json.loads(path.read_text())['results'] if path.is_file() else []
    by_setting = {}
    for result in results:
        if not result['deployed']:
            setting = (result['network'], result['batch'], result['threads'], result['amp'])
            by_setting.setdefault(setting, {})[bool(result.get('keep_memory'))] = result
    shares = [
        pair[False][part][name]['median_ms'] / pair[True][part][name]['median_ms'] - 1
        for pair in by_setting.values()
        if len(pair) == 2
        for part in ('infer', 'step')
        for name in pair[False][part]
    ]
    return f'{min(shares):.1f} to {max(shares):.1f}' if shares else 'some'


def _work(path: Path) -> str:
    """Where the time of networks goes, by kind of operator, of all results that were profiled."""
    results = json.loads(path.read_text())['results'] if path.is_file() else []
    parts = []
    for result in results:
        for part, name in (('infer', 'inference'), ('step', 'training step')):
            spent = result.get(f'{part}_work_ms')
            if not spent:
                continue
            kinds = list(next(iter(spent.values())))
            rows = [[kind, *(f'{one[kind]:.1f}' for one in spent.values())] for kind in kinds]
            rows.append(['all', *(f'{sum(one.values()):.1f}' for one in spent.values())])
            title = f'{result["network"]}, batch {result["batch"]}, threads: {result["threads"]}, {name}'
            parts.append(markdown_table([f'{title}: ms', *spent], rows, left=1))
    return '\n'.join(parts) or 'Not recorded yet.\n'


def _layers(path: Path) -> str:
    if not path.is_file():
        return 'Not recorded yet.\n'
    record = json.loads(path.read_text())
    names = list(next(iter(record['totals_ms'].values())))
    rows = [
        [key, *(f'{total[name]:.0f} ({total[name] / total["static"]:.2f})' for name in names)]
        for key, total in record['totals_ms'].items()
    ]
    text = f'{Path(record["config"]).stem}, batch {record["batch"]}, {record["memory_format"]}. {_source(record)}'
    return text + '\n\n' + markdown_table(['ms (ratio)', *names], rows, left=1)


def _source(record: dict) -> str:
    versions = ', '.join(f'{name} {number}' for name, number in record['versions'].items())
    return f'{record["machine"].partition(",")[0]}; {versions}.'


_PAGE = """<!-- Written by tools/make_docs.py. -->

# What the operator costs

A batch of B samples has B kernels in every dynamic layer. How they are mixed and convolved is decided by
[`layers/execution.py`](../dyconv_pose/layers/execution.py), one readable rule over equivalent forms; `forced_form`
overrides it for experiments. On a CPU:

- Kernels are mixed in tiles, used, and overwritten; the backward pass mixes them again. No tensor of per-sample kernels
  is kept ([`layers/tiles.py`](../dyconv_pose/layers/tiles.py)), and `torch.compile` sees one operator.
- In channels_last a depthwise layer convolves a large sample where it lies: PyTorch's static depthwise kernels run at
  their full speed, and nothing is reordered. Small samples share a call, side by side as channels; that moves them, but
  a call of its own for each would cost more ([`layers/tile_forms.py`](../dyconv_pose/layers/tile_forms.py)).
- A pointwise layer is a matrix product for each sample. Large ones are oneDNN's, as PyTorch's convolutions are, a call
  for each sample; small ones are `torch.bmm`'s, one call for all, which is MKL's and slower on AMD's processors, the
  only ones measured ([`layers/products.py`](../dyconv_pose/layers/products.py)).
- oneDNN computes the weight gradient of depthwise kernels wider than three columns by a general routine, slower than
  all the rest of the layer. Here they are taken in strips of three columns
  ([`layers/depthwise.py`](../dyconv_pose/layers/depthwise.py)). `nn.Conv2d`, and so the static twin, has no such way;
  in the paper's light head (5x5) that is much of its training step.

## Whole networks

At 256x192 with random weights. Ratios are of medians, to the static twin in channels_last, which is the quicker of its
two memory formats wherever both are in a table. All networks of a table took turns in one process; "turns" says how
many, and the quartiles of so few how quiet the machine was. `grouped` and `branches` are the forms common elsewhere.
The peak counts parameters, gradients, both of Adam's moments and all that a step holds.

"Memory kept": by default the C library gives the memory of large features back when it is freed, and the system clears
every page of it when it is asked for again. In these tables that takes {clearing} times as long as computing;
`KeepMemoryHook` ([Training](train.md#on-a-cpu)) ends it. Both are measured: what is kept makes all networks quicker,
and, the rest being equal, makes the difference between them a larger part.

```bash
bash benchmarks/network_cost.sh
```

{networks}
## Layer by layer

Every dynamic layer of a network alone, forward and as a training step, summed over the network. A layer alone has its
features in the cache, which flatters the static one: the sums are for choosing among forms.
`by_channel, MKL` is what `by_channel` was without oneDNN's products. Memory is kept. `rule` takes one of the two ways
in tiles for each layer: how far it is from that way says how much chance is in the figures. Depthwise layers have
`by_sample` alone, and it stands for the others there. `CondConv2d` is timm's, a sigmoid in place of the softmax and one
grouped convolution; it needs
`pip install --no-deps -r requirements/benchmarks.txt`.

```bash
python benchmarks/layer_cost.py --rounds 3 --out benchmarks/results/layer_cost.json
```

{layers}
## What limits it

Where the time goes, by PyTorch's own profiler (`--work`), which slows small operators down a little:

{work}

- **Mixing.** Reading K kernels and writing one for each sample is memory traffic that a static layer does not have. It
  vanishes where feature maps are large, and rules where they are small: the last stage of a ResNet has kernels of 9 MiB
  for maps of 8x6.
- **Pooling** reads the features of each layer once more.
- **Matrix products.** A large pointwise layer with per-sample kernels is as many products as there are samples, each
  with its own call, its kernel reordered and its output copied to its place. With one kernel it is one call.
- **Batches of one.** With one thread PyTorch computes a static 1x1 convolution of a single sample by MKL's product. The
  dynamic layer takes oneDNN's and is ahead for it. With two, both are oneDNN's, and what is left are mixing and the
  small operators of the attention in every layer, for which an [exported network](deploy.md) does not return to Python.
"""
