"""The inspections of a trained network, on the test set of its config."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn

from dyconv_pose.apis import build_model, load_weights
from dyconv_pose.datasets.check import check_data
from dyconv_pose.layers import dynamic_layers

from .hooks import REPLACEMENTS, LayerAttention, record_attention, replace_attention
from .summaries import LayerSummary, summarise_layer


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        layers: Of every dynamic layer, in the network's order.
        groups: Names of layers by group: ``'all'``, the network's parts, and one for each stride of the output.
        scores: The test metrics as the network is, by name.
        replaced: By group and replacement, the test metrics with the attention of that group's layers replaced.
        pi: Every layer's attention on every person, (N, K) by name.
        image_of: The network's input for a person by number, (3, H, W) uint8 in BGR, read when it is asked for.
    """

    layers: list[LayerSummary]
    groups: dict[str, list[str]]
    scores: dict[str, float]
    replaced: dict[str, dict[str, dict[str, float]]]
    pi: dict[str, Tensor]
    image_of: Callable[[int], Tensor]

    def as_dict(self) -> dict:
        """Plain data without the persons."""
        return {
            'persons': len(next(iter(self.pi.values()))),
            'scores': self.scores,
            'replaced': self.replaced,
            'groups': {name: len(layers) for name, layers in self.groups.items()},
            'layers': [layer.as_dict() for layer in self.layers],
        }


def inspect(
    config: Config,
    checkpoint: str | Path,
    replacements: Sequence[str] = tuple(REPLACEMENTS),
    trust: bool = False,
    metric: str | None = None,
) -> Inspection:
    """Inspects the attention of a trained dynamic network.

    The test set is read anew for every score, so that a large one needs no memory.

    Args:
        config: A config as MMPose's ``tools/test.py`` takes it; its test set is what the network sees.
        checkpoint: The weights.
        replacements: Which replacements of the attention to score; none for none.
        trust: Whether the checkpoint may run code while it is read.
        metric: One that the scores must have, which is found out before the replacements are scored.

    Raises:
        FileNotFoundError: A data file or the checkpoint does not exist.
        ValueError: The network has no dynamic layer, the checkpoint does not fit, data cannot be used, or the scores
            do not have the metric.
    """
    init_default_scope(config.get('default_scope', 'mmpose'))
    model = build_model(config)
    if not list(dynamic_layers(model)):
        raise ValueError(f'Attention needs a dynamic network, and that of "{config.filename}" has no dynamic layer.')
    load_weights(model, checkpoint, trust)
    model.eval()
    check_data(config, ('test',))
    loader = Runner.build_dataloader(config.test_dataloader)
    evaluator = Evaluator(config.test_evaluator)
    evaluator.dataset_meta = model.dataset_meta = loader.dataset.metainfo
    scores = score(model, loader, evaluator)
    if metric is not None and metric not in scores:
        raise ValueError(f'The metric must be one of {", ".join(sorted(scores))}, got "{metric}".')
    recorded = record(model, loader)
    pi = {name: layer.pi for name, layer in recorded.items()}
    mean_pi = {name: value.mean(dim=0) for name, value in pi.items()}
    groups = group_layers(recorded, loader.dataset[0]['inputs'].shape[-2])
    replaced = {group: {} for group in groups}
    for group, names in groups.items():
        for replacement in replacements:
            with replace_attention(model, replacement, mean_pi, names):
                replaced[group][replacement] = score(model, loader, evaluator)
    return Inspection(
        layers=[
            summarise_layer(name, layer, pi[name], recorded[name].output_size_hw)
            for name, layer in dynamic_layers(model)
        ],
        groups=groups,
        scores=scores,
        replaced=replaced,
        pi=pi,
        image_of=lambda number: loader.dataset[number]['inputs'],
    )


@torch.no_grad()
def record(model: nn.Module, batches: Iterable[Mapping]) -> dict[str, LayerAttention]:
    """The attention of every dynamic layer on every person, each seen once and not mirrored."""
    with record_attention(model) as recorded:
        for batch in batches:
            inputs = model.data_preprocessor(batch, training=False)['inputs']
            model.head(model.extract_feat(inputs))
    return recorded


@torch.no_grad()
def score(model: nn.Module, batches: Iterable[Mapping], evaluator: Evaluator) -> dict[str, float]:
    """The test metrics of the model as it is at the moment."""
    count = 0
    for batch in batches:
        evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
        count += len(batch['inputs'])
    with redirect_stdout(io.StringIO()):  # COCO's evaluation prints its table
        return {name: float(value) for name, value in evaluator.evaluate(count).items()}


def group_layers(recorded: Mapping[str, LayerAttention], input_height: int) -> dict[str, list[str]]:
    """Layers by where they are: all, the parts of the network, and the stride of their output.

    A part or stride to which all layers belong is left out.

    Args:
        recorded: Layers that have run, by name.
        input_height: Height of the network's input in pixels.
    """
    groups = {'all': list(recorded)}
    for name in recorded:
        groups.setdefault(name.partition('.')[0], []).append(name)
    strides = {name: round(input_height / layer.output_size_hw[0]) for name, layer in recorded.items()}
    for stride in sorted(set(strides.values())):
        groups[f'stride {stride}'] = [name for name in recorded if strides[name] == stride]
    return {group: names for group, names in groups.items() if group == 'all' or len(names) < len(recorded)}
