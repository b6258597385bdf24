"""Configs and models from them, with a user's mistakes said in one sentence."""

import copy
import logging
import math
from itertools import product
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import nn

from dyconv_pose.datasets.check import split_datasets
from dyconv_pose.layers import DynamicConv2d
from dyconv_pose.resources import find_config

#: What building from a config raises for a wrong key, an unknown type, or a value out of range.
BUILD_ERRORS = (AssertionError, AttributeError, KeyError, TypeError, ValueError)


def load_config(path: str | Path, options: dict | None = None) -> Config:
    """Reads a config file, or one that comes with the package by its name.

    It applies ``options`` such as ``{'model.backbone.widen_factor': 0.5}``. The ``work_dir`` is ``work_dirs/<name>``
    where the config states none. A FileNotFoundError is raised where the file, or one that it is based on, does not
    exist, a ValueError where it is no valid config, or an option has no place in it.
    """
    path = find_config(path)
    try:
        config = Config.fromfile(path)
    except FileNotFoundError as error:
        missing = error.filename or error
        raise FileNotFoundError(f'The config "{path}" is based on a file that does not exist: {missing}.') from error
    except (KeyError, NameError, SyntaxError, TypeError, ImportError, OSError) as error:
        raise ValueError(f'The config "{path}" cannot be read: {describe(error)}') from error
    try:
        config.merge_from_dict(options or {})
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f'The option cannot be applied to "{path}": {describe(error)}') from error
    if 'model' not in config:
        raise ValueError(f'A config must describe a model, and "{path}" has no "model": it may be a part for _base_.')
    _check_old_ways(config, path)
    if config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / path.stem)
    return config


def _check_old_ways(config: Config, path: Path) -> None:
    """Refuses two names of a loop, and lets a config of version 0.1 register the components."""
    if {'type', 'by_epoch'} <= set(config.get('train_cfg') or ()):
        raise ValueError(
            f'train_cfg of "{path}" names its loop by "type" ({config.train_cfg.type}) and by "by_epoch": leave '
            '"by_epoch" out, or write _delete_=True to name the loop anew.'
        )
    imports, new = config.get('custom_imports', {}).get('imports', []), 'dyconv_pose.registration'
    if 'dyconv_pose' in (imports := [imports] if isinstance(imports, str) else imports):
        config.custom_imports.imports = [new if name == 'dyconv_pose' else name for name in imports]
        message = f'custom_imports of "{path}" names dyconv_pose, which registers nothing since version 0.2: '
        print_log(f'{message}replaced by {new}.', logger='current', level=logging.WARNING)


def use_ground_truth_boxes(config: Config) -> Config:
    """Makes validation and test take the annotated boxes instead of a detector's; returns the config."""
    for part in split_datasets(config, ('val', 'test')):
        part.dataset['bbox_file'] = ''
    return config


def build_model(config: Config) -> nn.Module:
    """Builds the network of a config, with random weights; raises a ValueError where that cannot be done."""
    init_default_scope(config.get('default_scope', 'mmpose'))
    model = config.model.copy()
    if config.get('data_preprocessor') is not None:  # beside the model, as MMPretrain has it
        model.setdefault('data_preprocessor', config.data_preprocessor)
    try:
        built = MODELS.build(model)
    except BUILD_ERRORS as error:
        raise ValueError(f'The model of the config cannot be built: {describe(error)}') from error
    check_input_size(built)
    return built


@torch.no_grad()
def check_input_size(model: nn.Module) -> None:
    """Raises a ValueError for a pose estimator with heatmaps whose input size its stride does not divide."""
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    if not hasattr(decoder, 'heatmap_size'):
        return
    width, height = decoder.input_size
    stride = _stride(model.backbone, width, height)
    if width % stride == height % stride == 0:
        return
    multiples = [{size // stride * stride, -(-size // stride) * stride} - {0} for size in (width, height)]
    near = sorted(product(*multiples), key=lambda size: math.hypot(size[0] - width, size[1] - height))[:2]
    raise ValueError(
        f'The input size must be a multiple of the stride of the network, {stride}, in both directions, got {width}x'
        f'{height} (width x height): take {" or ".join(f"{w}x{h}" for w, h in near)}.'
    )


def _stride(backbone: nn.Module, width: int, height: int) -> int:
    """How many rows of the input one of the coarsest feature map stands for, found with one image of zeros."""
    width, height = (-(-size // 64) * 64 for size in (width, height))  # sizes that all take
    backbone, rows = copy.deepcopy(backbone), [height]
    backbone.eval()

    def note(_module: nn.Module, _inputs: tuple, y: torch.Tensor) -> None:
        if y.dim() == 4 and y.shape[2] * y.shape[3] > 1:  # what is pooled to one place is no feature map
            rows.append(y.shape[2])

    for module in backbone.modules():
        if isinstance(module, (nn.Conv2d, DynamicConv2d)):
            module.register_forward_hook(note)
    try:
        backbone(torch.zeros(1, 3, height, width, device=next(backbone.parameters()).device))
    except (AssertionError, RuntimeError):  # a network of fixed size, such as some transformers
        return 1
    return height // min(rows)


def describe(error: BaseException) -> str:
    """The sentence of an error from the depths of a library, on one line."""
    text = ' '.join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    return text or type(error).__name__
