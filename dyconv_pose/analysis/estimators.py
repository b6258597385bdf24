"""Costs of the pose estimators of MMPose, from a network or from its config."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.models import PoseLifter
from mmpose.registry import MODELS
from torch import Tensor, nn

from .complexity import count
from .costs import Complexity


def count_estimator(estimator: nn.Module, input_size_hw: Sequence[int]) -> Complexity:
    """Counts a pose estimator of MMPose on one picture.

    Args:
        estimator: A built estimator that takes images.
        input_size_hw: Height and width of the network's input in pixels.

    Returns:
        The cost of every layer; :meth:`Complexity.part` gives the backbone's, neck's and head's.

    Raises:
        ValueError: The network is no estimator that takes images.
    """
    if isinstance(estimator, PoseLifter) or not hasattr(estimator, 'extract_feat'):
        raise ValueError(
            f'A pose estimator that takes images is needed, got {type(estimator).__name__}: '
            'count other networks with dyconv_pose.analysis.count.'
        )

    def forward(images: Tensor) -> object:
        # As the estimator itself does, but entering the head as a module, so that its operations bear its name.
        features = estimator.extract_feat(images)
        return estimator.head(features) if getattr(estimator, 'head', None) is not None else features

    parameter = next(estimator.parameters())
    images = torch.zeros(1, 3, *input_size_hw, dtype=parameter.dtype, device=parameter.device)
    return count(estimator, images, forward=forward)


def build_estimator(config: Config | str | Path) -> nn.Module:
    """Builds the estimator of a config; its weights are those of construction, no checkpoint is read.

    Args:
        config: A config or the path of one.

    Returns:
        The network.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The config has no model.
    """
    config = config if isinstance(config, Config) else Config.fromfile(config)
    if 'model' not in config:
        raise ValueError(f"A config must state 'model', got {config.filename}: give the config of an experiment.")
    init_default_scope(config.get('default_scope', 'mmpose'))
    return MODELS.build(config.model)


def input_size_of(config: Config) -> tuple[int, int]:
    """Height and width in pixels of the input of a config's network.

    Raises:
        ValueError: The config states no size, or more than one.
    """
    pipeline = config.get('test_pipeline') or config.get('val_pipeline') or []
    stated = [config.get('codec'), *pipeline, config.get('model', {}).get('head', {}).get('decoder')]
    sizes = [size for entry in stated for size in _input_sizes(entry)]
    if not sizes:
        raise ValueError(f'{config.filename} does not state the input size in its codec: give --input-size.')
    width, height = sizes[0]
    return height, width


def _input_sizes(entry: object) -> Iterator[tuple[int, int]]:
    if isinstance(entry, dict) and len(tuple(entry.get('input_size') or ())) == 2:
        yield tuple(entry['input_size'])
    elif isinstance(entry, list):
        for element in entry:
            yield from _input_sizes(element)


def count_config(config: Config | str | Path, input_size_hw: Sequence[int] | None = None) -> Complexity:
    """Counts the network of a config.

    Args:
        config: A config or the path of one.
        input_size_hw: Height and width of the input in pixels; by default, the config's.

    Returns:
        The cost of every layer.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The config has no model or no input size, or its network does not take images.
    """
    config = config if isinstance(config, Config) else Config.fromfile(config)
    network = build_estimator(config)
    return count_estimator(network, input_size_hw or input_size_of(config))
