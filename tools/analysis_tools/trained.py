"""What has been trained: one JSON per run, written from its work directory, and the page that lists them."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .curves import read_scalars

#: Packages whose versions a result depends on; of MMEngine and MMCV, whichever is installed.
_PACKAGES = ('torch', 'mmpose', 'onedl-mmengine', 'mmengine', 'onedl-mmcv', 'mmcv', 'mmcv-lite', 'pycocotools', 'numpy')

_FIGURES = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')


def record_run(work_dir: str | Path, metrics: str | Path, title: str, commands: list[str]) -> dict:
    """Collects what a finished run was and what it scored.

    Args:
        work_dir: The work directory of the training.
        metrics: The file that ``tools/test.py --out`` wrote for the run's checkpoint.
        title: What the run is, in a few words.
        commands: The commands that were given, in order.

    Returns:
        A dictionary for JSON: the title, commands, config, iterations, epochs, seconds of training (evaluation left
        out), final training loss, metrics, versions and processor.

    Raises:
        FileNotFoundError: The work directory holds no log, or the metrics do not exist.
    """
    steps = [entry for entry in read_scalars(work_dir) if 'loss' in entry and 'iter' in entry]
    before = [0, *(entry['iter'] for entry in steps[:-1])]
    seconds = sum(entry['time'] * max(entry['iter'] - start, 0) for entry, start in zip(steps, before, strict=True))
    return {
        'title': title,
        'commands': commands,
        'config': next(path.name for path in sorted(Path(work_dir).glob('*.py'))),
        'iterations': steps[-1]['iter'],
        'epochs': steps[-1].get('epoch'),
        'training_seconds': round(seconds),
        'final_loss': steps[-1]['loss'],
        'metrics': json.loads(Path(metrics).read_text()),
        'versions': versions(),
        'processor': machine(),
    }


def trained_page(root: Path) -> str:
    """The text of docs/trained.md, from the records in ``results/``."""
    lines = [
        '<!-- Written by tools/make_docs.py. -->',
        '',
        '# What has been trained',
        '',
        'Every figure comes from a JSON file in `results/`, which `tools/record_run.py` wrote from a work directory.',
        'All runs evaluate at the annotated boxes, with flip test, and are no more than what they say: none is',
        'comparable with figures on the whole of COCO.',
    ]
    for path in sorted((root / 'results').glob('*.json')):
        run = json.loads(path.read_text())
        metrics = {name.removeprefix('coco/'): value for name, value in run['metrics'].items()}
        length = f'{run["epochs"]} epochs' if run['epochs'] else f'{run["iterations"]} iterations'
        listed = ', '.join(f'{name} {number}' for name, number in run['versions'].items())
        lines += [
            '',
            f'## {run["title"]}',
            '',
            f'`{run["config"]}`: {length}, {run["training_seconds"] / 60:.0f} minutes of training'
            f' ({run["processor"]}), final loss {run["final_loss"]:.5f}.',
            '',
            '```bash',
            *run['commands'],
            '```',
            '',
            '| ' + ' | '.join(_FIGURES) + ' |',
            '|' + ' ---: |' * len(_FIGURES),
            '| ' + ' | '.join(f'{metrics[name]:.3f}' for name in _FIGURES) + ' |',
            '',
            f'Record: [`results/{path.name}`](../results/{path.name}). {listed}.',
        ]
        if (root / f'docs/images/{path.stem}.png').is_file():
            lines += ['', f'![training curve](images/{path.stem}.png)']
    return '\n'.join(lines) + '\n'


def versions() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """The processor's name where the system tells it, and how many threads PyTorch uses."""
    import torch

    name = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.is_file():
        models = [line.partition(':')[2].strip() for line in info.read_text().splitlines() if 'model name' in line]
        name = models[0] if models else name
    return f'{name}, {torch.get_num_threads()} thread{"s" if torch.get_num_threads() > 1 else ""}'
