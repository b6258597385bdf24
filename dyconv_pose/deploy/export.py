"""Export of a trained network to an ONNX file that checks itself before it is left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dyconv_pose.inference import HeatmapStage, PoseEstimator, WholePicture
from dyconv_pose.inference.pictures import read_picture
from dyconv_pose.inference.types import Picture

from .fold import PoseNetwork, to_deploy
from .metadata import ExportedModel
from .onnx_file import write_onnx
from .runtime import ExportedNetwork, open_session
from .storage import STORAGES, store_weights

#: The lowest version of ONNX's operators in which the exporter writes.
LOWEST_OPSET = 18

#: Batch sizes at which a file is checked.
CHECKED_BATCHES = (1, 2, 7)

#: Largest allowed difference from torch, as a share of the largest magnitude among a batch's heatmaps.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ExportReport:
    """What an export gave.

    Attributes:
        path: The file.
        size: Its bytes.
        errors: For each check its largest relative difference from torch, at most :data:`TOLERANCE`.
        storage_error: The relative difference that storing weights in fewer bits makes; ``None`` where it was not
            asked for.
    """

    path: Path
    size: int
    errors: dict[str, float]
    storage_error: float | None


def export_onnx(
    estimator: PoseEstimator,
    out: str | Path,
    batch: int | None = None,
    opset: int = LOWEST_OPSET,
    storage: str = 'float32',
    pictures: Sequence[str | Path] = (),
    source: str = '',
) -> ExportReport:
    """Exports the network of an estimator, with all that :func:`~dyconv_pose.deploy.load_exported` needs.

    The file is compared with torch, at batch sizes 1, 2 and 7, before it gets its name. Where an older file has that
    name, a failed export leaves it as it was.

    Args:
        estimator: As :func:`dyconv_pose.apis.load_estimator` makes it, on the CPU.
        out: The file to write.
        batch: ``1`` for a graph that takes batches of one, and runs them the fastest; ``None`` for a free batch size.
        opset: The version of ONNX's operators, at least :data:`LOWEST_OPSET`.
        storage: How weights are stored, one of :data:`~dyconv_pose.deploy.storage.STORAGES`; they compute in float32.
        pictures: Pictures to check the file on, besides random input; each is taken whole.
        source: What the metadata name as the origin.

    Returns:
        The report.

    Raises:
        FileNotFoundError: A picture or the output's folder does not exist.
        ImportError: onnx, onnxscript or onnxruntime is not installed.
        ValueError: An argument is out of its range, the network cannot be exported, or the file fails its check.
    """
    out = Path(out)
    _check_arguments(estimator, out, batch, opset, storage)
    stage = estimator.stage
    inputs = dict(_inputs(stage, pictures))
    reference, storage_error = stage.network, None
    network = PoseNetwork(to_deploy(stage.network.model, 'batch_1' if batch else 'any_batch'))
    if storage != 'float32':
        store_weights(network, storage)
        reference = _as_function(network)
        storage_error = max(relative_error(reference(one), stage.network(one)) for one in inputs.values())
    model = ExportedModel(stage.spec, stage.keypoint_set, batch, opset, storage, source=source)
    unchecked = out.with_name(f'.{out.name}.unchecked')
    try:
        write_onnx(network, model, unchecked)
        errors = _check(unchecked, model, reference, inputs)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    return ExportReport(out, out.stat().st_size, errors, storage_error)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two arrays over the largest magnitude of the second; infinite for NaN."""
    error = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-30))
    return error if np.isfinite(error) else float('inf')


def _check_arguments(estimator: PoseEstimator, out: Path, batch: int | None, opset: int, storage: str) -> None:
    missing = [name for name in ('onnx', 'onnxscript', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise ImportError(f'Export needs {", ".join(missing)}: pip install -r requirements/deploy.txt.')
    if batch not in (None, 1):
        raise ValueError(f'The batch size of an exported graph must be 1 or left free, got {batch}: leave it out.')
    if storage not in STORAGES:
        raise ValueError(f'Weights must be stored in one of {", ".join(STORAGES)}, got {storage!r}.')
    import onnx

    highest = onnx.defs.onnx_opset_version()
    if not LOWEST_OPSET <= opset <= highest:
        raise ValueError(
            f'The opset must be between {LOWEST_OPSET}, the lowest that is exported, and {highest}, the highest that '
            f'the installed onnx knows, got {opset}: leave it out for {LOWEST_OPSET}.'
        )
    if out.suffix.lower() != '.onnx':
        raise ValueError(f'The exported file must be named .onnx, by which it is recognised, got "{out}".')
    if not out.parent.is_dir():
        raise FileNotFoundError(f'The exported file must go into an existing folder, got "{out.parent}".')
    if not isinstance(estimator.stage, HeatmapStage) or not hasattr(estimator.stage.network, 'model'):
        raise ValueError(
            "Export is for heatmap networks with MMPose's MSRAHeatmap codec and plain test pipeline (no UDP or "
            'SimCC), which is not what the config describes: run it in torch by tools/infer.py.'
        )


def _inputs(stage: HeatmapStage, pictures: Sequence[str | Path]) -> Iterator[tuple[str, np.ndarray]]:
    """The inputs (B, 3, H, W) of the checks, by what they are called."""
    width, height = stage.spec.input_size_wh
    rng = np.random.default_rng(0)
    crops = []
    for path in pictures:
        picture = Picture(read_picture(path))
        crops += [sample.data for sample in stage.prepare(picture.image, WholePicture().find(picture).xyxy)]
    for batch in CHECKED_BATCHES:
        yield f'random, batch {batch}', rng.standard_normal((batch, 3, height, width), dtype=np.float32)
        if crops:  # those of several pictures differ from batch to batch, as far as there are enough
            yield f'pictures, batch {batch}', stage.normalize(np.stack([crops[i % len(crops)] for i in range(batch)]))


def _as_function(network: nn.Module) -> ExportedNetwork:
    @torch.inference_mode()
    def run(batch: np.ndarray) -> np.ndarray:
        return torch.cat([network(one[None]) for one in torch.from_numpy(batch)]).numpy()

    return run


def _check(path: Path, model: ExportedModel, reference: object, inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """Compares a file in ONNX Runtime with torch; see :class:`ExportReport`.

    Raises:
        ValueError: It cannot be loaded or run, or differs by more than :data:`TOLERANCE`.
    """
    session = open_session(path)
    run = ExportedNetwork(session, model) if model.batch else session
    errors = {}
    for name, batch in inputs.items():
        try:
            found = run(batch)
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            first = str(error).splitlines()[0]
            raise ValueError(f'The exported network does not run ({name}): {first} (try another --opset).') from error
        errors[name] = relative_error(found, reference(batch))
    worst = max(errors, key=errors.get)
    if not errors[worst] <= TOLERANCE:
        raise ValueError(
            f'The exported network must equal that of torch within {TOLERANCE:g} of the largest value, it differs by '
            f'{errors[worst]:.2g} ({worst}): no file is left; try another --opset, and without --weights.'
        )
    return errors
