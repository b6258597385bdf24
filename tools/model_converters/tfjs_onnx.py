"""The convolutions of a TensorFlow.js graph model as nodes of an ONNX graph, (B, C, H, W) in place of (B, H, W, C).

Kernels stay in the float16 in which TensorFlow.js models store them, so that no weight changes, or become int8 with a
scale for each output channel; runtimes widen them when they load the file.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from model_converters.tfjs import Graph, attribute, conv_weight
from onnx import TensorProto, helper, numpy_helper

#: Of these nodes the outputs have the inputs' sizes, so that they are the same in both layouts.
_ELEMENTWISE = {'AddV2': 'Add', 'Relu': 'Relu', 'Sigmoid': 'Sigmoid', 'Identity': 'Identity'}


class OnnxWriter:
    """Collects the nodes and constants of an ONNX graph.

    Args:
        graph: The TensorFlow.js model that :meth:`copy` takes nodes from.
        storage: How kernels are stored, ``'float16'`` or ``'int8'``.
    """

    def __init__(self, graph: Graph, storage: str = 'float16') -> None:
        self.graph, self.storage = graph, storage
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: set[str] = set()

    def node(self, operator: str, inputs: Sequence[str], name: str = '', outputs: int = 1, **attributes: object) -> str:
        """Adds a node; returns the name of its output, or of the last one of several."""
        name = name or f'{operator}_{len(self.nodes)}'
        names = [*(f'{name}:{index}' for index in range(outputs - 1)), name]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return name

    def constant(self, value: np.ndarray, name: str = '') -> str:
        """Adds a constant; returns its name."""
        name = name or f'constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def copy(self, name: str, given: dict[str, str]) -> str:
        """Adds a node of the model and all that it depends on; returns the name of its output.

        Args:
            name: The node.
            given: Nodes of the model whose output is there already, and its names.

        Raises:
            ValueError: A node is missing or has an operator that is not known here.
        """
        if name in given:
            return given[name]
        if name in self.known:
            return name
        node, sources = self.graph.nodes.get(name), self.graph.inputs_of(name)
        operator = node['op']
        if 'Conv2d' in operator or 'Conv2D' in operator:
            x = self.copy(sources[0], given)
            self._conv(node, x, sources)
        elif operator == 'ResizeBilinear':  # every one of MoveNet's doubles height and width
            if not attribute(node, 'half_pixel_centers'):
                raise ValueError(f'The node {name!r} of {self.graph.path} resizes without half_pixel_centers.')
            scales = self.constant(np.array([1, 1, 2, 2], np.float32))
            self.node('Resize', [self.copy(sources[0], given), '', scales], name, mode='linear')
        elif operator in _ELEMENTWISE:
            self.node(_ELEMENTWISE[operator], [self.copy(source, given) for source in sources], name)
        else:
            raise ValueError(f'The node {name!r} of {self.graph.path} is a {operator}, which is not known here.')
        self.known.add(name)
        return name

    def _conv(self, node: dict, x: str, sources: Sequence[str]) -> None:
        name, weight = node['name'], conv_weight(node, self.graph.weight(sources[1])).numpy()
        fused = attribute(node, 'fused_ops') or []
        store = self._bytes if self.storage == 'int8' else self._half
        inputs = [x, store(weight, name + '/kernel')]
        if 'BiasAdd' in fused:
            inputs.append(self._half(self.graph.weight(sources[2]).numpy(), name + '/bias'))
        last = fused[-1] if fused else ''
        self.node(
            'Conv',
            inputs,
            name if last in ('', 'BiasAdd') else name + '/conv',
            strides=attribute(node, 'strides')[1:3],
            group=len(weight) if 'Depthwise' in node['op'] else 1,
            auto_pad='SAME_UPPER' if attribute(node, 'padding') == 'SAME' else 'VALID',
        )
        if last == 'Relu':
            self.node('Relu', [name + '/conv'], name)
        elif last == 'Relu6':
            limits = [self.constant(np.float32(value)) for value in (0, 6)]
            self.node('Clip', [name + '/conv', *limits], name)

    def _half(self, value: np.ndarray, name: str) -> str:
        """A constant stored in float16, where that holds its values exactly, and used in float32."""
        half = value.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), value):
            return self.constant(value, name)
        return self.node('Cast', [self.constant(half, name + '_half')], name, to=TensorProto.FLOAT)

    def _bytes(self, kernel: np.ndarray, name: str) -> str:
        """A constant (C_out, ...) stored in int8 with a scale for each output channel, and used in float32."""
        scale = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True).clip(min=1e-12) / np.float32(127)
        whole = self.constant((kernel / scale).round().astype(np.int8), name + '_bytes')
        wide = self.node('Cast', [whole], name + '_wide', to=TensorProto.FLOAT)
        return self.node('Mul', [wide, self.constant(scale, name + '_scale')], name)

    def model(self, inputs: dict[str, Sequence], outputs: dict[str, Sequence], **metadata: str) -> onnx.ModelProto:
        """The whole model, checked.

        Args:
            inputs: Names and shapes.
            outputs: Names and shapes.
            **metadata: What the file says of itself.
        """

        def infos(tensors: dict[str, Sequence]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors.items()]

        graph = helper.make_graph(self.nodes, 'graph', infos(inputs), infos(outputs), self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model
