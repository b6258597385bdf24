"""The page on what the attention of trained networks does, from the records in ``results/attention``."""

import json
from collections.abc import Mapping
from pathlib import Path

from dyconv_pose.analysis.markdown import markdown_table
from dyconv_pose.experiments.statistics import count_excluding, summarise

from .several import changes, check_alike, findings_of_several, interval

FOLDER = Path('results/attention')

_HEAD = """<!-- Written by tools/make_docs.py. -->

# Inside the attention

```bash
python tools/inspect_attention.py CONFIG CHECKPOINT            # figures and attention.json in outputs/attention
python tools/inspect_attention.py CONFIG CHECKPOINT --training WORK_DIR   # and the entropy over a training
```

shows, for any trained dynamic network, on the test set of its config:

- the **entropy** of the attention by layer, as a share of log K: 1 is uniform attention, 0 is one kernel alone. The
  entropy of the mean attention says how evenly the kernels are used over all images; where it is larger than the
  mean entropy of single images, the attention depends on the image;
- the **share of each kernel**, its mean and its largest in any image. A kernel is dead whose share stays below a tenth
  of an equal one in every image;
- how **alike** the kernels are: the mean cosine similarity of two kernels of a layer;
- single images against the data set's mean, from the most usual image to the least;
- what the attention is **for**: the score with it replaced in all layers, in the backbone or head, or in the layers
  of one resolution alone. `mean` is the data set's mean attention, one static network for all images; `max` each
  image's largest share alone; `uniform` equal shares; `shuffle` the attention of another image.

One network shows what one training happened to find. Several that differ in their seed alone, such as those of
[an experiment](experiments.md), are inspected one by one and then compared:

```bash
RUN=work_dirs/EXPERIMENT/NETWORK/seed0  # its config and last checkpoint are in it
python tools/inspect_attention.py $RUN/CONFIG.py $RUN/CHECKPOINT.pth --json results/attention/EXPERIMENT/seed0.json
python tools/compare_attention.py results/attention/EXPERIMENT/*.json --out docs/images/attention_EXPERIMENT.png
```

Below, brackets are Student's 95% intervals of the mean over such networks.

During a training, `default_hooks = dict(attention=dict(type='AttentionLogHook'))` logs entropy and dependence on the
image for every layer, to every backend of the visualiser: MMEngine's local one (`scalars.json`) and TensorBoard
(`visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])`, which needs
`pip install tensorboard`). From Python: `dyconv_pose.analysis.attention`.
"""


def attention_page(root: Path) -> str:
    """The page.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    parts = [_HEAD]
    paths = sorted((root / FOLDER).glob('*.json'))
    if not paths:
        parts.append('No network has been inspected yet.\n')
    for path in paths:
        parts.append(_section(root, path))
    for folder in sorted({path.parent for path in (root / FOLDER).glob('*/*.json')}):
        parts.append(_section_of_several(root, folder))
    return '\n'.join(parts)


def _section(root: Path, path: Path) -> str:
    record = json.loads(path.read_text())
    metric, layers = record['metric'], record['layers']
    lines = [
        f'## {record["title"]}',
        '',
        f'{_config_link(root, record)}, `{record["checkpoint"]}`, on {record["persons"]} persons.',
        '',
    ]
    lines += [f'- {sentence}' for sentence in findings(record)]
    for name, what in (('layers', 'attention by layer'), ('images', 'single images'), ('replaced', 'replaced')):
        picture = f'attention_{path.stem}_{name}.png'
        if (root / 'docs/images' / picture).is_file():
            lines += ['', f'![{what}](images/{picture})']
    kinds = list(record['replaced']['all'])
    if kinds:
        rows = [
            [f'{group}', str(record['groups'][group]), *(f'{100 * scores[kind][metric]:.1f}' for kind in kinds)]
            for group, scores in record['replaced'].items()
        ]
        header = ['layers', 'how many', *(f'{metric}, {kind}' for kind in kinds)]
        lines += [
            '',
            f'As trained: {100 * record["scores"][metric]:.1f} {metric}.',
            '',
            markdown_table(header, rows).rstrip(),
        ]
    header = ['layer', 'output', 'entropy', 'of mean', 'dependence', 'largest share', 'dead', 'similarity']
    rows = [_layer_row(layer) for layer in layers]
    lines += ['', '<details><summary>Every layer</summary>', '', markdown_table(header, rows), '</details>', '']
    file = f'{FOLDER.as_posix()}/{path.name}'
    lines += [f'Record: [`{file}`](../{file}). {_origin(record)}', '']
    return '\n'.join(lines)


def _section_of_several(root: Path, folder: Path) -> str:
    paths = sorted(folder.glob('*.json'))
    records = [json.loads(path.read_text()) for path in paths]
    check_alike(records)
    first, metric = records[0], records[0]['metric']
    runs = ', '.join(path.stem for path in paths)
    persons = f'{_config_link(root, first)}, {len(records)} networks ({runs}), on {first["persons"]} persons.'
    experiment = f'configs/experiments/{folder.name}.py'
    if (root / experiment).is_file():
        persons += f' They are those of [`{experiment}`](../{experiment}).'
    lines = [f'## {first["title"]}', '', persons, '', *(f'- {found}' for found in findings_of_several(records))]
    picture = f'attention_{folder.name}.png'
    if (root / 'docs/images' / picture).is_file():
        lines += ['', f'![attention of several networks](images/{picture})']
    trained = summarise([100 * record['scores'][metric] for record in records])
    kinds = list(first['replaced']['all'])
    rows = [
        [group, str(first['groups'][group]), *(interval(changes(records, group, kind)) for kind in kinds)]
        for group in first['replaced']
    ]
    header = ['layers', 'how many', *(f'{metric}, {kind}' for kind in kinds)]
    lines += [
        '',
        f'As trained: {trained.mean:.1f} ± {trained.spread:.1f} {metric}. Changes from there in points:',
        '',
        markdown_table(header, rows),
        count_excluding([changes(records, group, kind) for group in first['replaced'] for kind in kinds]),
        '',
        f'Records: [`{FOLDER.as_posix()}/{folder.name}`](../{FOLDER.as_posix()}/{folder.name}). {_origin(first)}',
        '',
    ]
    return '\n'.join(lines)


def _config_link(root: Path, record: Mapping) -> str:
    (config,) = sorted((root / 'configs').rglob(record['config']))[:1]
    return f'[`{record["config"]}`](../{config.relative_to(root).as_posix()})'


def _origin(record: Mapping) -> str:
    versions = ', '.join(f'{name} {number}' for name, number in record['versions'].items())
    return f'{record["machine"]}; {versions}.'


def findings(record: Mapping) -> list[str]:
    """The record's main figures in words."""
    layers, metric = record['layers'], record['metric']
    least = min(layers, key=lambda layer: layer['entropy'])
    follows = max(layers, key=lambda layer: layer['image_dependence'])
    dead = sum(layer['dead_kernels'] for layer in layers)
    kernels = sum(layer['num_kernels'] for layer in layers)
    even = sum(layer['entropy'] > 0.99 for layer in layers)
    sentences = [
        f'{even} of {len(layers)} layers have an entropy above 0.99; the least is {least["entropy"]:.3f}, in '
        f'`{least["name"]}`. Temperature {least["temperature"]:g}.',
        f'The image decides most in `{follows["name"]}`: {follows["image_dependence"]:.4f} of log K.',
        f'{dead} of {kernels} kernels are dead.',
    ]
    scores = record['replaced']['all']
    if 'mean' in scores and 'shuffle' in scores:
        change = {kind: 100 * (scores[kind][metric] - record['scores'][metric]) for kind in ('mean', 'shuffle')}
        sentences.append(
            f'With the mean attention in every layer, a static network, {metric} changes by {change["mean"]:+.1f} '
            f"points; with another image's, by {change['shuffle']:+.1f}."
        )
    return sentences


def _layer_row(layer: Mapping) -> list[str]:
    similarity = '-' if layer['kernel_similarity'] is None else f'{layer["kernel_similarity"]:.2f}'
    return [
        f'`{layer["name"]}`',
        'x'.join(map(str, layer['output_size_hw'])),
        f'{layer["entropy"]:.4f}',
        f'{layer["entropy_of_mean"]:.4f}',
        f'{layer["image_dependence"]:.5f}',
        f'{max(layer["largest_pi"]):.3f}',
        str(layer['dead_kernels']),
        similarity,
    ]
