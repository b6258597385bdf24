"""What the generated pages know of an experiment: its cost, counted; its scores, measured; the paper's, stated."""

import json
from functools import cache
from pathlib import Path

from .comparison import CONV_CFG, count_imagenet
from .costs import Complexity
from .estimators import count_config
from .paper import COCO, COCO_ABLATION, IMAGENET

#: Where configs are, from the project's folder.
COCO_FOLDER = Path('configs/body_2d_keypoint/topdown_heatmap/coco')
SYNTHETIC_FOLDER = COCO_FOLDER.parent / 'synthetic'
IMAGENET_FOLDER = Path('configs/classification/imagenet')

#: The experiment on which the ablations are based, without what all experiments on COCO have in their names.
ABLATION_BASE, TAIL = 'td-hm_dy-mobilenetv2-x0.5-bneck', '_8xb64-210e_coco-256x192'


@cache
def cost_of(config: Path) -> Complexity:
    """The cost of the keypoint network of a config."""
    return count_config(config)


@cache
def imagenet_cost(name: str, is_dynamic: bool) -> Complexity:
    """The cost of a network of the paper's ImageNet table, by its name there, or that of its static twin."""
    (row,) = (row for row in IMAGENET if row.name == name)
    return count_imagenet(row, CONV_CFG if is_dynamic else None)


def paper_ap(config_name: str) -> tuple[float, str] | None:
    """The AP in percent that the paper states for a config, and whether it is published or recalled (P or R)."""
    stated = {row.config: (row.ap[0], row.mark[0]) for row in COCO}
    for part in ('backbone', 'head'):
        stated[f'{ABLATION_BASE}-{part}-only{TAIL}'] = (COCO_ABLATION[part], 'P')
    return stated.get(config_name)


def measured(root: Path, config_name: str) -> dict | None:
    """What this project scored with a config: a record of ``tools/record_run.py``, or ``None`` where there is none.

    Args:
        root: The project's folder, whose ``results/`` holds the records; of several, the last by name counts.
        config_name: The name of the config, without ``.py``.
    """
    records = [json.loads(path.read_text()) for path in sorted((root / 'results').glob('*.json'))]
    return next((run for run in reversed(records) if run['config'] == f'{config_name}.py'), None)
