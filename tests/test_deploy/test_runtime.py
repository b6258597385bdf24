"""Mistakes with exported files, each one sentence, and the reading of metadata."""

import numpy as np
import pytest

from dyconv_pose.deploy import load_exported, read_exported
from dyconv_pose.deploy.runtime import ExportedModel, Session, onnxruntime_session
from dyconv_pose.inference import KeypointSet, TopdownSpec
from dyconv_pose.resources import DETECTOR, find_weights

SPEC = TopdownSpec((96, 128), (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
KEYPOINTS = KeypointSet(('a', 'b'), (1, 0), ((0, 1),), ((1, 2, 3), (4, 5, 6)), ((7, 8, 9),), (0.5, 0.25), 'two')
MODEL = ExportedModel(SPEC, KEYPOINTS, None, 18, 'float16', source='x')


def seen(batches):
    """A network that notes the batch sizes that it is given."""

    def session(batch):
        batches.append(len(batch))
        return batch[:, :2, ::4, ::4]

    return session


@pytest.mark.parametrize('text', ['{}', '[]', '3', 'null', '"text"', '{"format": 2, "spec": {}, "keypoint_set": {}}'])
def test_what_is_no_metadata_is_a_value_error(text):
    with pytest.raises(ValueError, match='not what this project writes|another version'):
        ExportedModel.from_json(text)


def test_metadata_survive_json():
    assert ExportedModel.from_json(MODEL.to_json()) == MODEL


@pytest.mark.parametrize(('fixed', 'sizes'), [(None, [4, 3]), (1, [1] * 7)])
def test_batches_are_split_as_the_graph_takes_them(fixed, sizes):
    batches = []
    x = np.random.default_rng(0).random((7, 3, 128, 96), dtype=np.float32)
    found = Session(seen(batches), None).run_in_parts(x, fixed)
    assert batches == sizes
    np.testing.assert_array_equal(found, x[:, :2, ::4, ::4])


def one_node(operator, **metadata):
    """An ONNX model of one operator, from x to y, with metadata."""
    onnx = pytest.importorskip('onnx')
    info = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in 'xy']
    graph = onnx.helper.make_graph([onnx.helper.make_node(operator, ['x'], ['y'])], 'g', info[:1], info[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=8)
    onnx.helper.set_model_props(model, metadata)
    return model.SerializeToString()


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'must be a whole ONNX file'),
        (b'no model at all', 'must be a whole ONNX file'),
        ({}, 'must carry the metadata of dyconv_pose'),
        (dict(other='{}'), 'must carry the metadata of dyconv_pose'),
        (dict(dyconv_pose='{"format": 99}'), 'another version'),
        (dict(dyconv_pose='{"format": 2}'), 'cannot be used'),
        (dict(dyconv_pose='nothing'), 'cannot be used'),
    ],
    ids=range(7),
)
def test_files_that_are_not_ours(tmp_path, content, message, backend):
    pytest.importorskip(backend)
    path = tmp_path / 'model.onnx'
    path.write_bytes(content if isinstance(content, bytes) else one_node('Identity', **content))
    with pytest.raises(ValueError, match=message) as raised:
        read_exported(path, backend)
    assert 'tools/export.py' in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_a_file_cut_short(tmp_path, exported, backend):
    pytest.importorskip(backend)
    path = tmp_path / 'short.onnx'
    path.write_bytes(exported[0].read_bytes()[:-2000])
    with pytest.raises(ValueError, match='must be a whole ONNX file'):
        load_exported(path, backend)


def test_arguments(tmp_path, exported):
    with pytest.raises(FileNotFoundError, match='none.onnx'):
        load_exported(tmp_path / 'none.onnx')
    with pytest.raises(ValueError, match='backend must be one of onnxruntime, openvino, got "tvm"'):
        load_exported(exported[0], 'tvm')
    with pytest.raises(ValueError, match='threads must be at least 1, got 0'):
        load_exported(exported[0], threads=0)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_a_graph_that_the_runtime_does_not_know(tmp_path, backend):
    pytest.importorskip(backend)
    (tmp_path / 'model.onnx').write_bytes(one_node('NoSuchOperator', dyconv_pose=MODEL.to_json()))
    with pytest.raises(ValueError, match='cannot load') as raised:
        load_exported(tmp_path / 'model.onnx', backend)
    assert '\n' not in str(raised.value)


def test_threads_rest_between_runs():
    options = onnxruntime_session(str(find_weights(DETECTOR)), threads=2).get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry('session.force_spinning_stop') == '1'
