"""Tables of networks: counted costs, the paper's figures, our scores, estimated costs of a training on COCO."""

import json
import re
from functools import cache
from pathlib import Path

from analysis_tools.costs.paper import COCO, COCO_ABLATION, IMAGENET

from .fill import markdown_table

#: Where configs are, from the project's folder.
COCO_FOLDER = Path('configs/body_2d_keypoint/topdown_heatmap/coco')
FAMILY_FOLDER = COCO_FOLDER / 'family'
RTMPOSE_FOLDER = Path('configs/body_2d_keypoint/rtmpose/coco')
SYNTHETIC_FOLDER = COCO_FOLDER.parent / 'synthetic'
IMAGENET_FOLDER = Path('configs/classification/imagenet')
POSE_FOLDERS = (COCO_FOLDER, COCO_FOLDER / 'ablations', FAMILY_FOLDER, RTMPOSE_FOLDER, SYNTHETIC_FOLDER)

#: The experiment on which the ablations are based, without what all experiments on COCO have in their names.
ABLATION_BASE, TAIL = 'td-hm_dy-mobilenetv2-x0.5-bneck', '_8xb64-210e_coco-256x192'

#: The operators of the family, as the names of their configs end.
_OPERATORS = ('condconv', 'odconv', 'dcd', 'kernelwarehouse')

_COSTS = ('params', 'backbone', 'head', 'MAdds', 'backbone', 'head')
_PERSONS, _EPOCHS, _BATCH = 149_813, 210, 64  # COCO's persons with labelled keypoints; the paper's schedule
_RATES = (1, 2, 5, 10)  # sustained TFLOP/s


@cache
def counted(root: Path) -> dict:
    """What ``tools/analysis_tools/count_networks.py`` counted."""
    return json.loads((root / 'benchmarks/results/complexity.json').read_text())


def paper_ap(config_name: str) -> tuple[float, str] | None:
    """The AP in percent that the paper states for a config, and whether it is published or recalled (P or R)."""
    stated = {row.config: (row.ap[0], row.mark[0]) for row in COCO}
    for part in ('backbone', 'head'):
        stated[f'{ABLATION_BASE}-{part}-only{TAIL}'] = (COCO_ABLATION[part], 'P')
    return stated.get(config_name)


def measured(root: Path, config_name: str) -> dict | None:
    """The record (``record_run.py``) of a run with a config, the last by name where there are more; ``None`` if none.

    Args:
        root: The project's folder, whose ``results/`` holds the records.
        config_name: The name of the config, without ``.py``.
    """
    records = [json.loads(path.read_text()) for path in sorted((root / 'results').glob('*.json'))]
    return next((run for run in reversed(records) if run['config'] == f'{config_name}.py'), None)


def keypoint_networks(root: Path) -> str:
    """The paper's keypoint networks."""
    rows = []
    for row in COCO:
        ap, mark = paper_ap(row.config)
        rows.append([_link(COCO_FOLDER, row.config, row.name), *_costs(root, COCO_FOLDER, row.config), ap, mark])
        rows[-1].append(_score(root, row.config))
    return markdown_table(['network', *_COSTS, 'AP (paper)', 'mark', 'our AP'], rows)


def ablations(root: Path) -> str:
    """The ablations, by the comments with which their configs begin."""
    base = ABLATION_BASE + TAIL
    found = {path.stem: path.parent for path in (root / COCO_FOLDER / 'ablations').glob('*.py')}
    rows = []
    for config in (base, *sorted(found, key=_natural)):
        folder = COCO_FOLDER / 'ablations' if config in found else COCO_FOLDER
        name = config.removeprefix(f'{ABLATION_BASE}').removesuffix(TAIL).removeprefix('-') or 'base'
        what = 'the base' if name == 'base' else comment_of(root / folder / f'{config}.py')
        stated = paper_ap(config)
        rows.append([_link(folder, config, f'`{name}`'), what, *_costs(root, folder, config)])
        rows[-1] += [stated[0] if stated else '', _score(root, config)]
    return markdown_table(['config', 'what differs', *_COSTS, 'AP (paper)', 'our AP'], rows, left=2)


def family(root: Path) -> str:
    """Type B MobileNetV2 with each operator, and RTMPose-t."""
    rows = []
    for width in ('-x0.5', ''):
        base = f'mobilenetv2{width}-bneck'
        configs = [(COCO_FOLDER, f'td-hm_{prefix}{base}{TAIL}') for prefix in ('', 'dy-')]
        configs += [(FAMILY_FOLDER, f'td-hm_dy-{base}-{operator}{TAIL}') for operator in _OPERATORS]
        rows += [
            [_link(folder, name, name.removesuffix(TAIL)), *_costs(root, folder, name)] for folder, name in configs
        ]
    for name in (f'{prefix}rtmpose-t_8xb256-420e_coco-256x192' for prefix in ('', 'dy-')):
        rows.append([_link(RTMPOSE_FOLDER, name, name.partition('_')[0]), *_costs(root, RTMPOSE_FOLDER, name)])
    return markdown_table(['config', *_COSTS], rows)


def summary(root: Path) -> str:
    """The type B networks: costs, the paper's AP, and the time of an exported network on one CPU thread."""
    latency = json.loads((root / 'benchmarks/results/deploy_latency.json').read_text())
    rows = []
    for row in (row for row in COCO if row.name.startswith('B ')):
        name = row.name.removeprefix('B ')
        timed = [one for one in latency[f'{name.removeprefix("DY-")}, type B']['rows']
                 if (one['batch'], one['threads'], one['backend'], one['weights']) == (1, 1, 'openvino', 'float32')
                 and (one['form'] == 'static') != name.startswith('DY-')]  # fmt: skip
        milliseconds = f'{min(one["median_ms"] for one in timed):.0f}'
        cost = counted(root)['keypoints'][(COCO_FOLDER / f'{row.config}.py').as_posix()]
        rows.append([name, _millions(cost['params'], 1), _millions(cost['madds'], 0), milliseconds, row.ap[0]])
        rows[-1].append(_score(root, row.config))
    return markdown_table(['network', 'parameters', 'MAdds', 'CPU ms', 'AP (paper)', 'our AP'], rows)


def classification_networks(root: Path) -> str:
    """The paper's networks for ImageNet."""
    rows = []
    for row in IMAGENET:
        for is_dynamic in (False, True):
            config = ('dy-' if is_dynamic else '') + row.config
            name = row.name if is_dynamic else row.name.removeprefix('DY-')
            cost = counted(root)['imagenet'][(IMAGENET_FOLDER / f'{config}.py').as_posix()]
            counts = [_millions(cost['params'], 2), _millions(cost['madds'], 1), f'{2 * cost["madds"] / 1e9:.3f}']
            accuracy = [row.top1[is_dynamic], row.mark or '-', _score(root, config, 'accuracy/top1')]
            rows.append([_link(IMAGENET_FOLDER, config, name), *counts, *accuracy])
    return markdown_table(['network', 'params', 'MAdds', 'GFLOPs', 'top-1 (paper)', 'mark', 'our top-1'], rows)


def coco_training(root: Path) -> str:
    """Memory of a GPU and hours of one, for the whole training on COCO."""
    record = json.loads((root / 'benchmarks/results/training_cost.json').read_text())
    rows = []
    for config, figures in record['networks'].items():
        state, kept = figures['state'], _BATCH * figures['per_person']
        madds = counted(root)['keypoints'][(COCO_FOLDER / f'{config}.py').as_posix()]['madds']
        operations = 3 * 2 * madds * _PERSONS * _EPOCHS
        hours = [f'{operations / (rate * 1e12) / 3600:.0f}' for rate in _RATES]
        name = config.removeprefix('td-hm_').removesuffix(TAIL)
        memory = [f'{part / 1e9:.2f} GB' for part in (state, kept, state + kept)]
        rows.append([_link(COCO_FOLDER, config, name), *memory, *hours])
    columns = ['weights, gradients, Adam', f'kept for {_BATCH} persons', 'together']
    return markdown_table(['network', *columns, *(f'hours at {rate} TFLOP/s' for rate in _RATES)], rows)


def coco_loading(root: Path) -> str:
    """Time in which images are prepared for a training on COCO."""
    record = json.loads((root / 'benchmarks/results/training_cost.json').read_text())
    seconds = record['loading_cpu_seconds']
    hours = f'{seconds * _PERSONS * _EPOCHS / 3600:.0f}'
    header = ['CPU', 'ms a person', 'persons a second and core', f'core hours for {_EPOCHS} epochs']
    return markdown_table(header, [[record['machine'], f'{1000 * seconds:.1f}', f'{1 / seconds:.0f}', hours]])


def trained_networks(root: Path) -> str:
    """The runs recorded in ``results/``."""
    figures = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR')
    rows = []
    for path in sorted((root / 'results').glob('*.json')):
        run = json.loads(path.read_text())
        length = f'{run["epochs"]} epochs' if run['epochs'] else f'{run["iterations"]} iterations'
        scores = [f'{run["metrics"][f"coco/{name}"]:.3f}' for name in figures]
        link = f'[{run["title"]}](../results/{path.name})'
        rows.append([link, length, f'{run["training_seconds"] / 60:.0f}', f'{run["final_loss"]:.5f}', *scores])
    return markdown_table(['run', 'length', 'minutes', 'final loss', *figures], rows)


def comment_of(config: Path) -> str:
    """The comment with which a config begins, as one sentence."""
    lines = []
    for line in config.read_text().splitlines():
        if not line.startswith('#'):
            break
        lines.append(line.removeprefix('#').strip())
    return ' '.join(lines)


def _link(folder: Path, config: str, name: str) -> str:
    return f'[{name}](../{folder.as_posix()}/{config}.py)'


def _score(root: Path, config: str, metric: str = 'coco/AP') -> str:
    """A score in percent that was measured here, or a dash. MMPose states an AP as a share, MMPretrain in percent."""
    run = measured(root, config)
    return '-' if run is None else f'{run["metrics"][metric] * (100 if metric == "coco/AP" else 1):.1f}'


def _costs(root: Path, folder: Path, config: str) -> list[str]:
    """Parameters and multiply-adds, each of the whole, the backbone and the head."""
    cost = counted(root)['keypoints'][(folder / f'{config}.py').as_posix()]
    parts = [cost, cost['backbone'], cost['head']]
    return [_millions(part['params'], 2) for part in parts] + [_millions(part['madds'], 1) for part in parts]


def _millions(number: float, digits: int) -> str:
    return f'{number / 1e6:.{digits}f}M'


def _natural(name: str) -> list[tuple[int, str]]:
    """A key with which ``'k2'`` comes before ``'k10'``."""
    return [(int(part), '') if part.isdigit() else (0, part) for part in re.split(r'(\d+)', name)]


TABLES = {
    function.__name__: function
    for function in (
        keypoint_networks,
        ablations,
        family,
        summary,
        classification_networks,
        coco_training,
        coco_loading,
        trained_networks,
    )
}
