"""Runs exported files by ONNX Runtime or OpenVINO, behind the interface of the other estimators; without torch.

Shape letters: B batch, K keypoints, H and W input size, h and w heatmap size.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dyconv_pose.inference import Fallback, HeatmapStage, HogPersons, PersonSource, PoseEstimator

from .metadata import ExportedModel, read_exported

_PACKAGES = {'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}

#: Runtimes that :func:`load_exported` knows.
BACKENDS = tuple(_PACKAGES)

#: Persons that go through a network with a free batch size at once: more would wait for the memory.
_PART = 4

#: A session: maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32.
Session = Callable[[np.ndarray], np.ndarray]


class ExportedNetwork:
    """An exported network as a plain function of arrays.

    Args:
        session: The graph in a runtime.
        model: What the file says of itself.
    """

    def __init__(self, session: Session, model: ExportedModel) -> None:
        self.session, self.model = session, model

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32, in parts that the graph takes.

        Raises:
            ValueError: The input has another type or shape.
        """
        width, height = self.model.spec.input_size_wh
        batch = np.asarray(batch)
        if batch.dtype != np.float32 or batch.ndim != 4 or batch.shape[1:] != (3, height, width) or not len(batch):
            raise ValueError(
                f'The network takes float32 of shape (B, 3, {height}, {width}) with B >= 1, got {batch.dtype} of shape '
                f'{batch.shape}: crop and normalise pictures as dyconv_pose.inference.HeatmapStage does.'
            )
        part = self.model.batch or _PART
        if self.model.batch and len(batch) % part:
            raise ValueError(f'The network takes {part} at once, got {len(batch)}: export it without --batch.')
        return np.concatenate([self.session(batch[start : start + part]) for start in range(0, len(batch), part)])


def load_exported(
    path: str | Path,
    backend: str = 'onnxruntime',
    threads: int | None = None,
    batch_size: int = 16,
    flip_test: bool | None = None,
    persons: PersonSource | None = None,
    keep_heatmaps: bool = False,
) -> PoseEstimator:
    """Loads an exported network for use on pictures; needs the backend's package, NumPy and OpenCV.

    Args:
        path: A file of ``tools/export.py``.
        backend: ``'onnxruntime'`` or ``'openvino'``.
        threads: How many threads the network uses; ``None`` leaves it to the backend.
        batch_size: How many persons are collected for the network, over all pictures.
        flip_test: Whether to average with the mirror image; ``None`` does as the config said.
        persons: As in :func:`dyconv_pose.apis.load_estimator`.
        keep_heatmaps: Whether results carry heatmaps.

    Returns:
        The estimator.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The backend is not installed.
        ValueError: The file was not exported by this project, or the backend is unknown or cannot run it.
    """
    model = read_exported(path)
    network = ExportedNetwork(open_session(path, backend, threads), model)
    spec = model.spec if flip_test is None else type(model.spec)(**{**model.spec.to_dict(), 'flip_test': flip_test})
    stage = HeatmapStage(network, spec, model.keypoint_set)
    return PoseEstimator(stage, model.keypoint_set, persons or Fallback(HogPersons()), batch_size, keep_heatmaps)


def open_session(path: str | Path, backend: str = 'onnxruntime', threads: int | None = None) -> Session:
    """Opens an ONNX file in a runtime.

    Args:
        path: The file.
        backend: As in :func:`load_exported`.
        threads: As in :func:`load_exported`.

    Returns:
        The function of the graph's only input and only output.

    Raises:
        ImportError: The backend is not installed.
        ValueError: The backend is unknown or cannot run the file.
    """
    if backend not in BACKENDS:
        raise ValueError(f'The backend must be one of {", ".join(BACKENDS)}, got "{backend}".')
    if threads is not None and threads < 1:
        raise ValueError(f'The number of threads must be at least 1, got {threads}.')
    if find_spec(backend) is None:
        raise ImportError(f'The backend {backend} needs {_PACKAGES[backend]}: pip install {backend}.')
    try:
        return _onnxruntime(path, threads) if backend == 'onnxruntime' else _openvino(path, threads)
    except Exception as error:  # the errors of neither share a base class but this one
        first = str(error).strip().splitlines()[-1 if backend == 'openvino' else 0]
        raise ValueError(
            f'{_PACKAGES[backend]} cannot load "{path}": {first} (install a newer {backend}, or export with a lower '
            '--opset).'
        ) from error


def _onnxruntime(path: str | Path, threads: int | None) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})[0]


def _openvino(path: str | Path, threads: int | None) -> Session:
    import openvino

    # Some processors would otherwise compute in bfloat16, which moves keypoints.
    options = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    if threads is not None:
        options['INFERENCE_NUM_THREADS'] = threads
    core = openvino.Core()
    model = core.read_model(str(path))
    banks = _banks_as_inputs(model)
    request = core.compile_model(model, 'CPU', options).create_infer_request()
    for number, bank in enumerate(banks, 1):
        request.set_input_tensor(number, openvino.Tensor(bank, shared_memory=True))

    def session(batch: np.ndarray, _keep: list[np.ndarray] = banks) -> np.ndarray:
        return request.infer([np.ascontiguousarray(batch)])[0].copy()

    return session


def _banks_as_inputs(model: Any) -> list[np.ndarray]:
    """Makes inputs of the kernels that are stored in fewer bits and mixed as a sum.

    OpenVINO would widen them to float32 when it compiles the model, and then read four or two times as much at every
    run. An input it reads as it is, and widens within the same loop that mixes.

    Args:
        model: The model of OpenVINO, changed in place.

    Returns:
        What to give to the inputs after the first, in order; to be kept as long as they are read.
    """
    from openvino import Type, opset13

    banks, inputs = [], []
    for node in model.get_ordered_ops():
        if node.get_type_name() != 'Constant' or node.get_output_element_type(0) not in (Type.f16, Type.i8):
            continue
        widened = [use.get_node() for use in node.output(0).get_target_inputs()]
        products = [use.get_node() for wide in widened for use in wide.output(0).get_target_inputs()]
        factors = [one.input_value(i).get_node().get_type_name() for one in products for i in (0, 1)]
        is_mixed = [one.get_type_name() for one in products] == ['Multiply'] and 'Constant' not in factors
        if [one.get_type_name() for one in widened] == ['Convert'] and is_mixed:
            banks.append(np.array(node.data))
            inputs.append(opset13.parameter(list(banks[-1].shape), node.get_output_element_type(0)))
            node.output(0).replace(inputs[-1].output(0))
    model.add_parameters(inputs)
    return banks
