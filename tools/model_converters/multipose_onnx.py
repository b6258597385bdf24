"""MoveNet MultiPose as a detector of persons: its centre and box branches, and the boxes decoded within the graph."""

import numpy as np
import onnx
from model_converters.tfjs import Graph
from model_converters.tfjs_onnx import OnnxWriter

ROOT = 'StatefulPartitionedCall/'
INPUT = ROOT + 'sub_1'
#: The outputs that a box is made of: score of a centre, height and width in cells, offset of the centre in cells.
CENTRE, SIZE, OFFSET = (
    ROOT + name + '/BiasAdd' for name in ('center_0/conv2d_4', 'box_scale_0/conv2d_5', 'box_offset_0/conv2d_6')
)
STRIDE = 4  # pixels of a cell


def export_detector(graph: Graph, size: int = 384, persons: int = 20, storage: str = 'int8') -> onnx.ModelProto:
    """Makes the detector.

    It takes one square image (1, 3, size, size) with values 0 to 255, blue first, and puts out ``persons`` detections
    (1, persons, 5), by falling score: left, top, right and bottom edge in pixels of the input, and score from 0 to 1.

    Args:
        graph: MoveNet MultiPose.
        size: Side of the input, a multiple of 32.
        persons: Detections in the output.
        storage: How kernels are stored, ``'float16'``, which changes none of them, or ``'int8'``.

    Raises:
        ValueError: The size is no multiple of 32, or the graph is another model.
    """
    if size < 32 or size % 32:
        raise ValueError(f'The size of the input must be a multiple of 32, got {size}.')
    cells = size // STRIDE
    w = OnnxWriter(graph, storage)
    rgb = w.node('Gather', ['image', w.constant(np.array([2, 1, 0]))], axis=1)
    scaled = w.node('Mul', [rgb, w.constant(np.float32(1 / 127.5))])
    given = {INPUT: w.node('Sub', [scaled, w.constant(np.float32(1))])}
    centre, box, offset = (w.copy(name, given) for name in (CENTRE, SIZE, OFFSET))

    scores = w.node('Sigmoid', [centre])  # (1, 1, cells, cells)
    highest = w.node('MaxPool', [scores], kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    is_peak = w.node('Equal', [scores, highest])
    peaks = w.node('Where', [is_peak, scores, w.constant(np.float32(0))])
    flat = w.node('Reshape', [peaks, w.constant(np.array([1, 1, -1]))])
    indices = w.node('TopK', [flat, w.constant(np.array([persons]))], outputs=2, axis=2)  # both (1, 1, persons)
    score = indices + ':0'

    side = w.constant(np.array(cells))
    where = w.node('Concat', [w.node('Mod', [indices, side]), w.node('Div', [indices, side])], axis=1)
    where = w.node('Cast', [where], to=onnx.TensorProto.FLOAT)  # (1, 2, persons), x first
    twice = w.node('Concat', [indices, indices], axis=1)
    rows = w.constant(np.array([1, 2, -1]))
    swap = w.constant(np.array([1, 0]))  # TensorFlow has y first

    def at_peaks(tensor: str) -> str:
        """A branch's (1, 2, cells, cells) at the peaks, (1, 2, persons), x first."""
        values = w.node('Gather', [w.node('Reshape', [tensor, rows]), swap], axis=1)
        return w.node('GatherElements', [values, twice], axis=2)

    middle = w.node('Add', [where, at_peaks(offset)])
    half = w.node('Mul', [w.node('Relu', [at_peaks(box)]), w.constant(np.float32(0.5))])
    corners = w.node('Concat', [w.node('Sub', [middle, half]), w.node('Add', [middle, half])], axis=1)
    corners = w.node('Clip', [corners, w.constant(np.float32(0)), w.constant(np.float32(cells))])
    pixels = w.node('Mul', [corners, w.constant(np.float32(STRIDE))])
    w.node('Transpose', [w.node('Concat', [pixels, score], axis=1)], 'detections', perm=[0, 2, 1])
    return w.model(
        {'image': [1, 3, size, size]},
        {'detections': [1, persons, 5]},
        source='MoveNet MultiPose Lightning, version 1 (Google, Apache-2.0)',
    )
