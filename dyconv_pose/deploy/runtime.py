"""Runs exported files by ONNX Runtime or OpenVINO, behind the interface of the other estimators; without torch.

Letters: B batch, K keypoints, H and W input size, h and w heatmap size.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dyconv_pose.inference import HeatmapModel, KeypointSet, PoseEstimator, TopdownSpec, load_detector
from dyconv_pose.inference.detectors import Detector

#: The name under which the file's metadata hold the JSON text of :class:`ExportedModel`.
METADATA_KEY = 'dyconv_pose'

#: Raised by one where an older reader could misunderstand what is written.
FORMAT = 2

#: Runtimes that :func:`load_exported` knows, and their names.
BACKENDS = {'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}

#: Persons that go through a network with a free batch size at once: more would wait for the memory.
_PART = 4

_REMEDY = 'export it with "python tools/export.py CONFIG CHECKPOINT --out model.onnx"'


@dataclass(frozen=True)
class ExportedModel:
    """All that is needed beside the graph to go from an image to keypoints."""

    spec: TopdownSpec
    keypoint_set: KeypointSet
    batch: int | None = None  # the only batch size that the graph takes; None where it takes any
    opset: int = 18  # the version of ONNX's operators
    storage: str = 'float32'  # how the weights are stored
    codec: str = 'MSRAHeatmap'  # how heatmaps are read
    source: str = ''  # name of the config

    def to_json(self) -> str:
        """The text that a file carries."""
        return json.dumps({'format': FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> 'ExportedModel':
        """Reads what :meth:`to_json` wrote; a ValueError where the text is something else or of another format."""
        content = json.loads(text)
        try:
            if content.pop('format') != FORMAT:
                raise ValueError('written by another version of dyconv_pose')
            spec, keypoint_set = (_with_tuples(content.pop(key)) for key in ('spec', 'keypoint_set'))
            return cls(TopdownSpec(**spec), KeypointSet(**keypoint_set), **content)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'it is not what this project writes ({type(error).__name__}: {error})') from error


def _with_tuples(value: object) -> object:
    """Tuples for lists, which JSON has in their place."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


class Session(NamedTuple):
    """A graph in a runtime, as a function of its only input that gives its only output."""

    run: Callable[[np.ndarray], np.ndarray]
    metadata: str | None  # what the file holds under METADATA_KEY

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32."""
        return self.run(batch)


class ExportedNetwork:
    """A session, and what its file says of itself, as a function of arrays of any batch size."""

    def __init__(self, session: Callable[[np.ndarray], np.ndarray], model: ExportedModel) -> None:
        self.session, self.model = session, model

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps (B, 3, H, W) to heatmaps (B, K, h, w), both float32; a ValueError for input of another type or shape."""
        width, height = self.model.spec.input_size_wh
        batch = np.asarray(batch)
        if batch.dtype != np.float32 or batch.ndim != 4 or batch.shape[1:] != (3, height, width) or not len(batch):
            raise ValueError(
                f'The network takes float32 of shape (B, 3, {height}, {width}) with B >= 1, got {batch.dtype} of shape '
                f'{batch.shape}: crop and normalise images as dyconv_pose.inference.HeatmapModel does.'
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
    detector: Detector | None = None,
    keep_heatmaps: bool = False,
) -> PoseEstimator:
    """Loads a file of ``tools/export.py`` for use on images; needs the backend's package, NumPy and OpenCV.

    ``threads`` are the network's, by default the backend's choice; ``flip_test`` is by default the config's, and all
    else as in :func:`dyconv_pose.load_estimator`.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The backend is not installed.
        ValueError: The file was not exported by this project, or the backend is unknown or cannot run it.
    """
    session = open_session(path, backend, threads)
    model = _described(session, path)
    spec = model.spec if flip_test is None else replace(model.spec, flip_test=flip_test)
    heatmap_model = HeatmapModel(ExportedNetwork(session, model), spec, model.keypoint_set)
    return PoseEstimator(heatmap_model, detector or load_detector(), batch_size, keep_heatmaps)


def read_exported(path: str | Path, backend: str | None = None) -> ExportedModel:
    """What an exported file says of itself, read by a backend, or by the first installed; raises as load_exported."""
    return _described(open_session(path, backend or next(filter(find_spec, BACKENDS), 'onnxruntime')), path)


def _described(session: Session, path: str | Path) -> ExportedModel:
    if session.metadata is None:
        raise ValueError(f'A model must carry the metadata of dyconv_pose, "{path}" has none: {_REMEDY}.')
    try:
        return ExportedModel.from_json(session.metadata)
    except ValueError as error:
        raise ValueError(f'The metadata of "{path}" cannot be used, {error}: {_REMEDY} again.') from error


def open_session(path: str | Path, backend: str = 'onnxruntime', threads: int | None = None) -> Session:
    """Opens an ONNX file in a runtime; arguments and errors as in :func:`load_exported`."""
    if backend not in BACKENDS:
        raise ValueError(f'The backend must be one of {", ".join(BACKENDS)}, got "{backend}".')
    if threads is not None and threads < 1:
        raise ValueError(f'The number of threads must be at least 1, got {threads}.')
    if not Path(path).is_file():
        raise FileNotFoundError(f'The model must be an existing ONNX file, got "{path}".')
    if find_spec(backend) is None:
        raise ImportError(f'The backend {backend} needs {BACKENDS[backend]}: pip install {backend}.')
    try:
        return _onnxruntime(path, threads) if backend == 'onnxruntime' else _openvino(path, threads)
    except Exception as error:  # the errors of neither share a base class but this one
        text = str(error).strip()
        if any(sign in text for sign in ('rotobuf', 'Unable to read the model', "can't be parsed")):
            raise ValueError(
                f'The model must be a whole ONNX file, "{path}" is none: copy it again, or {_REMEDY}.'
            ) from error
        first = text.splitlines()[-1 if backend == 'openvino' else 0]
        raise ValueError(
            f'{BACKENDS[backend]} cannot load "{path}": {first} (install a newer {backend}, or export with a lower '
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
    metadata = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return Session(lambda batch: session.run(None, {name: batch})[0], metadata)


def _openvino(path: str | Path, threads: int | None) -> Session:
    import openvino

    # Some processors would otherwise compute in bfloat16, which moves keypoints.
    options = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    if threads is not None:
        options['INFERENCE_NUM_THREADS'] = threads
    core = openvino.Core()
    model = core.read_model(str(path))
    key = ['framework', METADATA_KEY]
    metadata = model.get_rt_info(key).astype(str) if model.has_rt_info(key) else None
    banks = banks_as_inputs(model)
    request = core.compile_model(model, 'CPU', options).create_infer_request()
    for number, bank in enumerate(banks, 1):
        request.set_input_tensor(number, openvino.Tensor(bank, shared_memory=True))

    def run(batch: np.ndarray, _keep: list[np.ndarray] = banks) -> np.ndarray:
        return request.infer([np.ascontiguousarray(batch)])[0].copy()

    return Session(run, metadata)


def banks_as_inputs(model: Any) -> list[np.ndarray]:
    """Makes inputs of the kernels in a model of OpenVINO that are stored in fewer bits and mixed as a sum.

    It would widen constants to float32 once, and read two or four times as much at every run. Returns what to give to
    the inputs after the first, in order, and to keep as long as they are read.
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
