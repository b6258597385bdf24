"""Writes a network to an ONNX file by PyTorch's exporter."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from .metadata import METADATA_KEY, ExportedModel


def write_onnx(network: nn.Module, model: ExportedModel, path: Path) -> None:
    """Writes a deployed network to a file, unchecked.

    Args:
        network: Maps input (B, 3, H, W) to heatmaps (B, K, h, w), in a plan that fits ``model.batch``.
        model: What the file is to say of itself; its input size, batch size and opset are those of the graph.
        path: The file.

    Raises:
        ValueError: Something in the network cannot be expressed in the opset.
    """
    width, height = model.spec.input_size_wh
    # Two samples stand for any number, for torch.export takes a batch of one for fixed.
    example = (torch.zeros(model.batch or 2, 3, height, width),)
    shapes = None if model.batch else ({0: torch.export.Dim('batch')},)
    names = dict(input_names=['input'], output_names=['heatmaps'])
    try:
        with _quiet():
            program = torch.export.export(network, example, dynamic_shapes=shapes, strict=False)
            exported = torch.onnx.export(program, dynamo=True, opset_version=model.opset, verbose=False, **names)
    except RuntimeError as error:  # the base of what torch.export and torch.onnx raise
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(
            f'The network cannot be exported to opset {model.opset}: {first} (try a higher --opset).'
        ) from error
    graph_model = exported.model
    written = graph_model.opset_imports.get('')
    if written != model.opset:
        raise ValueError(f'The network cannot be expressed in opset {model.opset}: try --opset {written}.')
    # The exporter notes the Python source, with its paths, at every node and value.
    nodes, graph = list(graph_model.graph), graph_model.graph
    values = [*graph.inputs, *graph.initializers.values(), *(value for node in nodes for value in node.outputs)]
    for part in (*nodes, *values, graph, graph_model):
        part.metadata_props.clear()
    graph_model.metadata_props[METADATA_KEY] = model.to_json()
    exported.save(str(path), external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter's notes on packages that are not needed and on its way to an opset."""
    loggers = [logging.getLogger(name) for name in ('torch.onnx', 'onnxscript')]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
