"""Runs exported files by ONNX Runtime or OpenVINO, behind the interface of the other estimators; without torch.

Letters: B batch, K keypoints, H and W input size, h and w heatmap size.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dyconv_pose.inference import HeatmapModel, KeypointSet, PoseEstimator, TopdownSpec, load_detector
from dyconv_pose.inference.detectors import Detector

#: The name under which the file's metadata hold the JSON text of :class:`ExportedModel`.
METADATA_KEY = 'dyconv_pose'

#: How the names of outputs begin that are a dynamic layer's attention weights, which nothing here reads.
ATTENTION = 'attention/'

#: Raised by one where an older reader could misunderstand what is written.
FORMAT = 2

#: Runtimes that :func:`load_exported` knows, and their names.
BACKENDS = {'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}

#: Persons that go through a network at once where it takes any number: more would wait for the memory.
_PART = 4

_REMEDY = 'export it with "python tools/export.py CONFIG CHECKPOINT --out model.onnx"'


@dataclass(frozen=True)
class ExportedModel:
    """All that is needed beside the graph to go from an image to keypoints."""

    spec: TopdownSpec
    keypoint_set: KeypointSet
    batch: int | None = None  # 1 where the graph takes batches of one alone
    opset: int = 18  # the version of ONNX's operators
    storage: str = 'float32'  # how the weights are stored
    codec: str = 'MSRAHeatmap'  # how heatmaps are read
    source: str = ''  # name of the config

    def to_json(self) -> str:
        """The text that a file carries."""
        return json.dumps({'format': FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> 'ExportedModel':
        """Reads what :meth:`to_json` wrote; a ValueError for anything else."""
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
    """A graph in a runtime: from float32 (B, 3, H, W) to heatmaps (B, K, h, w) or SimCC vectors (B, K, w + h)."""

    run: Callable[[np.ndarray], np.ndarray]
    metadata: str | None  # what the file holds under METADATA_KEY

    def run_in_parts(self, batch: np.ndarray, size: int | None = None) -> np.ndarray:
        """Runs (B, 3, H, W) ``size`` at once; by default as many as take the least time for the memory."""
        size = size or _PART
        return np.concatenate([self.run(batch[start : start + size]) for start in range(0, len(batch), size)])


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
    if keep_heatmaps and spec.simcc_size_wh:
        raise ValueError(f'Heatmaps need a network that has some, "{path}" has SimCC vectors: leave out --heatmaps.')
    heatmap_model = HeatmapModel(partial(session.run_in_parts, size=model.batch), spec, model.keypoint_set)
    return PoseEstimator(heatmap_model, detector or load_detector(), batch_size, keep_heatmaps)


def read_exported(path: str | Path, backend: str = 'onnxruntime') -> ExportedModel:
    """What an exported file says of itself, read by a backend; errors as in :func:`load_exported`."""
    return _described(open_session(path, backend), path)


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
        problem = f'The model must be a whole ONNX file, "{path}" is none: copy it again, or {_REMEDY}.'
        if not any(sign in text for sign in ('rotobuf', 'Unable to read the model', "can't be parsed")):
            first = text.splitlines()[-1 if backend == 'openvino' else 0]
            remedy = f'install a newer {backend}, or export with a lower --opset'
            problem = f'{BACKENDS[backend]} cannot load "{path}": {first} ({remedy}).'
        raise ValueError(problem) from error


def onnxruntime_session(model: str | bytes, threads: int | None = None) -> 'onnxruntime.InferenceSession':  # noqa: F821
    """A session of ONNX Runtime on the CPU, of a file or its content, whose threads rest between its runs.

    Those of a detector that go on waiting busily take the processors from the network that runs next. ``threads`` are
    by default as many as there are cores; errors are ONNX Runtime's own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry('session.force_spinning_stop', '1')
    return onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])


def _onnxruntime(path: str | Path, threads: int | None) -> Session:
    session = onnxruntime_session(str(path), threads)
    name = session.get_inputs()[0].name
    outputs = [one.name for one in session.get_outputs() if not one.name.startswith(ATTENTION)]
    metadata = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return Session(lambda batch: np.concatenate(session.run(outputs, {name: batch}), axis=-1), metadata)


def _openvino(path: str | Path, threads: int | None) -> Session:
    import openvino

    # Some processors would otherwise compute in bfloat16, which moves keypoints.
    options = {'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_NUM_THREADS': threads or 0}
    core = openvino.Core()
    model = core.read_model(str(path))
    key = ['framework', METADATA_KEY]
    metadata = model.get_rt_info(key).astype(str) if model.has_rt_info(key) else None
    outputs = [index for index, one in enumerate(model.outputs) if not one.any_name.startswith(ATTENTION)]
    banks = banks_as_inputs(model)
    request = core.compile_model(model, 'CPU', options).create_infer_request()
    for number, bank in enumerate(banks, 1):
        request.set_input_tensor(number, bank)

    def run(batch: np.ndarray) -> np.ndarray:
        found = request.infer([np.ascontiguousarray(batch)])
        return np.concatenate([found[index] for index in outputs], axis=-1)

    return Session(run, metadata)


def banks_as_inputs(model: 'openvino.Model') -> list['openvino.Tensor']:  # noqa: F821
    """Makes inputs of the kernels in a model that are stored in fewer bits and mixed as a sum; returns what to give.

    OpenVINO would widen constants to float32 once, and read two or four times as much at every run.
    """
    from openvino import Tensor, Type, opset13

    banks, inputs = [], []
    for product in model.get_ordered_ops():
        factors = [value.get_source_output().get_node() for value in product.inputs()]
        kinds = [factor.get_type_name() for factor in factors]
        if product.get_type_name() != 'Multiply' or 'Convert' not in kinds or 'Constant' in kinds:
            continue  # a constant factor is the scale of static weights
        bank = factors[kinds.index('Convert')].input_value(0).get_node()
        if bank.get_type_name() == 'Constant' and bank.get_element_type() in (Type.f16, Type.i8):
            banks.append(Tensor(np.array(bank.data)))
            inputs.append(opset13.parameter(banks[-1].shape, banks[-1].element_type))
            bank.output(0).replace(inputs[-1].output(0))
    model.add_parameters(inputs)
    return banks
