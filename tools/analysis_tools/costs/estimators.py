"""Costs of the pose estimators of MMPose, from a network or from its config."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmpose.models import PoseLifter
from torch import Tensor, nn

from dyconv_pose.apis import build_model, load_config

from .costs import Complexity
from .counter import count


def count_estimator(estimator: nn.Module, input_size_hw: Sequence[int]) -> Complexity:
    """Counts a pose estimator of MMPose on one image.

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
            'count other networks with analysis_tools.costs.counter.count.'
        )

    def forward(images: Tensor) -> object:
        # As the estimator itself does, but entering the head as a module, so that its operations bear its name.
        features = estimator.extract_feat(images)
        return estimator.head(features) if getattr(estimator, 'head', None) is not None else features

    parameter = next(estimator.parameters())
    images = torch.zeros(1, 3, *input_size_hw, dtype=parameter.dtype, device=parameter.device)
    return count(estimator, images, forward=forward)


def read_config(path: str | Path) -> Config:
    """Reads a config file, or one that an installed package brings: ``'mmpose::body_2d_keypoint/...py'``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no config of an experiment.
    """
    return get_config(path) if isinstance(path, str) and '::' in path else load_config(path)


def input_size_of(config: Config) -> tuple[int, int]:
    """Height and width in pixels of the input of a config's network.

    A pose config states it in its codec, or in a step of its test pipeline; one of MMPretrain crops or resizes to it.

    Raises:
        ValueError: The config states no size, or more than one.
    """
    pipeline = config.get('test_pipeline') or config.get('val_pipeline') or []
    stated = [config.get('codec'), *pipeline, config.get('model', {}).get('head', {}).get('decoder')]
    sizes = [size for entry in stated for size in _input_sizes(entry)]
    # The last step decides: a crop follows upon a scaling.
    sizes = sizes or [size for step in reversed(pipeline) if (size := _image_size(step)) is not None]
    if not sizes:
        raise ValueError(
            f'{config.filename} does not state the input size in its codec or test pipeline: give --input-size.'
        )
    width, height = sizes[0]
    return height, width


def _input_sizes(entry: object) -> Iterator[tuple[int, int]]:
    if isinstance(entry, dict) and len(tuple(entry.get('input_size') or ())) == 2:
        yield tuple(entry['input_size'])
    elif isinstance(entry, list):
        for element in entry:
            yield from _input_sizes(element)


def _image_size(step: dict) -> tuple[int, int] | None:
    """Width and height to which a step of MMPretrain's pipelines brings every image, if it does."""
    size = step.get({'CenterCrop': 'crop_size', 'Resize': 'scale'}.get(step.get('type'), ''))
    if isinstance(size, int):
        return size, size
    return tuple(size) if size is not None and len(size) == 2 else None


def count_config(config: Config | str | Path, input_size_hw: Sequence[int] | None = None) -> Complexity:
    """Counts the network of a config.

    Args:
        config: A config, or what :func:`read_config` reads.
        input_size_hw: Height and width of the input in pixels; by default, the config's.

    Returns:
        The cost of every layer.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The config is no experiment's, its network cannot be built or does not take images, or it states
            no input size.
    """
    config = config if isinstance(config, Config) else read_config(config)
    network = build_model(config)
    return count_estimator(network, input_size_hw or input_size_of(config))
