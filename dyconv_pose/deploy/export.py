"""Export of a trained network to an ONNX file that is checked before it gets its name."""

import copy
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from dyconv_pose.files import write_atomically
from dyconv_pose.inference import HeatmapModel, read_image
from dyconv_pose.inference.topdown import normalize

from .fold import store_weights, to_deploy
from .network import TorchNetwork, WithAttention
from .runtime import ATTENTION, METADATA_KEY, ExportedModel, open_session

#: The lowest version of ONNX's operators in which the exporter writes.
LOWEST_OPSET = 18

#: Batch sizes at which a file is checked.
CHECKED_BATCHES = (1, 2, 7)

#: Largest allowed difference from torch, as a share of the largest magnitude among a batch's heatmaps; ten times that
#: where torch itself differs as much between float32 and float64.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ExportReport:
    """What an export gave."""

    errors: dict[str, float]  # for each check its largest relative difference from torch, see TOLERANCE
    storage_error: float | None  # the relative difference that weights in fewer bits make on the images, if there are


def export_onnx(
    model: HeatmapModel,
    out: str | Path,
    batch: int | None = None,
    opset: int = LOWEST_OPSET,
    storage: str = 'float32',
    images: Sequence[str | Path] = (),
    source: str = '',
    with_attention: bool = False,
) -> ExportReport:
    """Exports a network, with all that :func:`~dyconv_pose.deploy.load_exported` needs.

    The file is compared with torch, at batch sizes 1, 2 and 7, before it gets its name; a failure leaves an older one.

    Args:
        model: As :func:`dyconv_pose.apis.estimator.load_model` makes it, on the CPU.
        out: The file to write.
        batch: ``1`` for a graph that takes batches of one, and runs them the fastest; ``None`` for a free batch size.
        opset: The version of ONNX's operators, at least :data:`LOWEST_OPSET`.
        storage: How weights are stored, one of :data:`~dyconv_pose.deploy.fold.STORAGES`; they compute in float32.
        images: Images of one person to check the file on, besides random input.
        source: What the file names as its origin.
        with_attention: Whether the file also gives the attention weights (B, K) of each dynamic layer, as an output
            named after it: ``attention/backbone.layer1.0.conv``.

    Raises:
        FileNotFoundError: An image or the output's folder does not exist.
        ImportError: onnx, onnxscript or onnxruntime is not installed.
        ValueError: An argument is out of its range, the network cannot be exported, or the file fails its check.
    """
    out = Path(out)
    check_arguments(model, out, batch, opset)
    inputs = dict(_inputs(model, images))
    reference, storage_error = model.network, None
    deployed = to_deploy(model.network.module, 'batch_1' if batch else 'any_batch')
    if storage != 'float32':
        reference = TorchNetwork(store_weights(deployed, storage))
        crops = [one for name, one in inputs.items() if name.startswith('images')]
        storage_error = max((relative_error(reference(one), model.network(one)) for one in crops), default=None)
    if with_attention:
        deployed = WithAttention(deployed)
        if not deployed.attention:
            raise ValueError(
                'Attention weights are what dynamic layers choose among their kernels with, and the network has no '
                'such layers: export it without --with-attention.'
            )
    codec = 'SimCCLabel' if model.spec.simcc_size_wh else 'MSRAHeatmap'
    described = ExportedModel(model.spec, model.keypoint_set, batch, opset, storage, codec, source)
    with TemporaryDirectory() as folder:
        unchecked = Path(folder) / out.name
        write_onnx(deployed, described, unchecked)
        errors = _check(unchecked, batch, reference, inputs)
        write_atomically(out, unchecked.read_bytes())
    return ExportReport(errors, storage_error)


def write_onnx(network: nn.Module, model: ExportedModel, path: Path) -> None:
    """Writes a network that is deployed for ``model.batch`` to a file, unchecked.

    A ValueError is raised where something in it cannot be expressed in the opset.
    """
    width, height = model.spec.input_size_wh
    # Two samples stand for any number, for torch.export takes a batch of one for fixed.
    example = (torch.zeros(model.batch or 2, 3, height, width),)
    shapes = None if model.batch else ({0: torch.export.Dim('batch')},)
    outputs = ['simcc_x', 'simcc_y'] if model.spec.simcc_size_wh else ['heatmaps']
    outputs += [ATTENTION + name for name in getattr(network, 'attention', ())]
    names = dict(input_names=['input'], output_names=outputs)
    try:
        with _quiet():
            program = torch.export.export(network, example, dynamic_shapes=shapes, strict=False)
            exported = torch.onnx.export(program, dynamo=True, opset_version=model.opset, verbose=False, **names)
    except RuntimeError as error:  # the base of what torch.export and torch.onnx raise
        first = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
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
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(level)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two arrays over the largest magnitude of the second; infinite for NaN."""
    error = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-30))
    return error if np.isfinite(error) else float('inf')


def check_arguments(model: HeatmapModel, out: Path, batch: int | None, opset: int) -> None:
    """Raises what :func:`export_onnx` does for these of its arguments."""
    missing = [name for name in ('onnx', 'onnxscript', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise ImportError(f'Export needs {", ".join(missing)}: pip install -r requirements/deploy.txt.')
    if batch not in (None, 1):
        raise ValueError(f'The batch size of an exported graph must be 1 or left free, got {batch}: leave it out.')
    import onnx

    highest = onnx.defs.onnx_opset_version()
    if not LOWEST_OPSET <= opset <= highest:
        raise ValueError(
            f'The opset must be between {LOWEST_OPSET}, the lowest that is exported, and {highest}, the highest that '
            f'the installed onnx knows, got {opset}: leave it out for {LOWEST_OPSET}.'
        )
    if out.suffix.lower() != '.onnx':
        raise ValueError(f'The exported file must be named .onnx, by which it is recognised, got "{out}".')
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise FileNotFoundError(
            f'The exported file must go into a folder that can be written into, got "{out.parent}".'
        )
    if not isinstance(model, HeatmapModel) or not isinstance(model.network, TorchNetwork):
        raise ValueError(
            "Export is for networks with MMPose's MSRAHeatmap or SimCCLabel codec and plain test pipeline (no UDP, no "
            'SimCC with DARK), which is not what the config describes: run it in torch by tools/infer.py.'
        )


def _inputs(model: HeatmapModel, images: Sequence[str | Path]) -> Iterator[tuple[str, np.ndarray]]:
    """The inputs (B, 3, H, W) of the checks, by what they are called."""
    width, height = model.spec.input_size_wh
    rng = np.random.default_rng(0)
    crops = [model.prepare(one, [[0, 0, *one.shape[1::-1]]])[0][0][0] for one in map(read_image, images)]
    for batch in CHECKED_BATCHES:
        yield f'random, batch {batch}', rng.standard_normal((batch, 3, height, width), dtype=np.float32)
        if crops:  # those of several images differ from batch to batch, as far as there are enough
            yield f'images, batch {batch}', normalize(np.resize(crops, (batch, height, width, 3)), model.spec)


def _check(path: Path, size: int | None, reference: TorchNetwork, inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """Compares a file in ONNX Runtime, ``size`` samples at once or all, with torch; see :class:`ExportReport`."""
    session, errors = open_session(path), {}
    for name, batch in inputs.items():
        try:
            found = session.run_in_parts(batch, size or len(batch))
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            first = str(error).splitlines()[0]
            raise ValueError(f'The exported network does not run ({name}): {first} (try another --opset).') from error
        errors[name] = relative_error(found, reference(batch))
    worst = max(errors, key=errors.get)
    if errors[worst] <= TOLERANCE:
        return errors
    precise = TorchNetwork(copy.deepcopy(reference.module).double())  # whether rounding alone moves them that far
    rounding = relative_error(reference(inputs[worst]), precise(inputs[worst].astype(np.float64)))
    if rounding >= errors[worst] / 4:
        if errors[worst] <= 10 * TOLERANCE:  # noise may bring a good network near its kinks
            return errors
        raise ValueError(
            f'A network that is exported must compute nearly the same in float32 as in float64, the heatmaps of '
            f'this differ by {rounding:.2g} of the largest value ({worst}), and so those of the exported one by '
            f'{errors[worst]:.2g}: no file is left; it is not trained enough, or its loss diverged.'
        )
    raise ValueError(
        f'The exported network must equal that of torch within {TOLERANCE:g} of the largest value, it differs by '
        f'{errors[worst]:.2g} ({worst}): no file is left; try another --opset.'
    )
