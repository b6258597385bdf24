"""MoveNet MultiPose's converter, on a small graph with its branches."""

import cv2
import numpy as np
import pytest
import torch
from model_converters.tfjs import evaluate, read_graph
from tfjs_files import ROOT, GraphFile, separable, upsampled

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
multipose_onnx = pytest.importorskip('model_converters.multipose_onnx')

SIZE = 64


@pytest.fixture(scope='module')
def model_file(tmp_path_factory):
    """Features at stride 8, upsampled to 4 and added to those there, and three branches."""
    file = GraphFile()
    fine = file.conv('stem', ROOT + 'sub_1', (3, 3, 3, 8), 2, ('BiasAdd', 'Relu6'))
    fine = file.conv('fine', fine, (3, 3, 8, 1), 2, ('BiasAdd', 'Relu6'), depthwise=True)
    coarse = upsampled(file, 'up', file.conv('coarse', fine, (3, 3, 8, 8), 2), SIZE // 4)
    features = file.node('sum', 'AddV2', [coarse, fine])
    for branch, number, channels in (('center_0', 4, 1), ('box_scale_0', 5, 2), ('box_offset_0', 6, 2)):
        x = separable(file, f'{ROOT}{branch}/depthwise', f'{ROOT}{branch}/relu', features, (8, 8))
        file.conv(f'{ROOT}{branch}/conv2d_{number}/BiasAdd', x, (1, 1, 8, channels))
    return file.save(tmp_path_factory.mktemp('multipose'))


def decoded(graph, image, persons):
    """Boxes by a loop over the cells, from what the graph puts out for an image (H, W, 3), blue first."""
    x = torch.from_numpy(image[None, :, :, ::-1].astype(np.float32) / 127.5 - 1)
    names = [multipose_onnx.CENTRE, multipose_onnx.SIZE, multipose_onnx.OFFSET]
    centre, size, offset = (output[0].numpy() for output in evaluate(graph, {ROOT + 'sub_1': x}, names))
    scores, found = 1 / (1 + np.exp(-centre[:, :, 0])), []
    side = len(scores)
    for row, column in np.ndindex(side, side):
        around = scores[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        if scores[row, column] == around.max():
            middle = np.array([column, row]) + offset[row, column, ::-1]
            half = np.maximum(size[row, column, ::-1], 0) / 2
            corners = np.clip(np.concatenate([middle - half, middle + half]), 0, side) * 4
            found.append([*corners, scores[row, column]])
    return np.array(sorted(found, key=lambda row: -row[4])[:persons])


def test_boxes_are_the_graphs(model_file, tmp_path):
    graph = read_graph(model_file)
    model = multipose_onnx.export_detector(graph, SIZE, persons=5, storage='float16')
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
        image = cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        (found,) = session.run(None, {'image': image.transpose(2, 0, 1)[None].astype(np.float32)})
        expected = decoded(graph, image, 5)
        assert found.shape == (1, 5, 5)
        np.testing.assert_allclose(found[0, : len(expected)], expected, atol=1e-3)


def test_weights_stay_in_half_precision(model_file):
    """They are what the model stores, and the runtime gets them back exactly."""
    graph = read_graph(model_file)
    kept = {
        tensor.name: tensor
        for tensor in multipose_onnx.export_detector(graph, SIZE, storage='float16').graph.initializer
    }
    (kernel,) = (tensor for name, tensor in kept.items() if name.startswith('stem/kernel'))
    values = np.frombuffer(kernel.raw_data, np.float16).reshape(tuple(kernel.dims))
    assert np.array_equal(values.transpose(2, 3, 1, 0), graph.weights['stem_weights'].numpy())


def test_bytes_are_within_half_a_step_of_the_weights(model_file):
    """A step is a 127th of the largest weight of an output channel."""
    graph = read_graph(model_file)
    kept = {tensor.name: tensor for tensor in multipose_onnx.export_detector(graph, SIZE).graph.initializer}
    kernel, scale = (onnx.numpy_helper.to_array(kept[f'stem/kernel_{part}']) for part in ('bytes', 'scale'))
    weights = graph.weights['stem_weights'].numpy().transpose(3, 2, 0, 1)
    assert kernel.dtype == np.int8
    assert np.allclose(scale.ravel() * 127, np.abs(weights).max(axis=(1, 2, 3)))
    assert (np.abs(kernel * scale - weights) <= 0.501 * scale).all()


def test_the_tool_and_mistakes(model_file, tmp_path, run_tool):
    command = ['model_converters/multipose.py', model_file, tmp_path / 'out.onnx']
    status, output = run_tool(*command, '--size', SIZE)
    assert (status or 0) == 0, output
    assert (tmp_path / 'out.onnx').is_file()
    status, output = run_tool(*command, '--size', 100)
    assert status == 2
    assert 'multiple of 32, got 100' in output
    file = GraphFile()
    file.conv('stem', ROOT + 'sub_1', (3, 3, 3, 8))
    with pytest.raises(ValueError, match='has no node'):
        multipose_onnx.export_detector(read_graph(file.save(tmp_path)))
