"""A TensorFlow.js graph model of MoveNet's architecture with random weights, written for tests."""

import base64
import json

import numpy as np

ROOT = 'StatefulPartitionedCall/'
PYRAMID = ROOT + 'center_net_mobile_net_v2fpn_feature_extractor/model_1/'

#: MobileNetV2: expansion, channels, blocks, stride of the first.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


class GraphFile:
    """Nodes and weights; every method adds a node and returns its name."""

    def __init__(self):
        self.nodes, self.weights, self.rng = [], {}, np.random.default_rng(0)

    def node(self, name, op, inputs, **attributes):
        self.nodes.append(dict(name=name, op=op, input=inputs, attr=attributes))
        return name

    def weight(self, name, shape, scale):
        self.weights[name] = (self.rng.standard_normal(shape) * scale).astype(np.float16)
        return name

    def conv(self, name, x, shape, stride=1, fused=('BiasAdd',), depthwise=False):
        """A convolution; ``shape`` is height, width, C_in and C_out (1 of a depthwise one)."""
        fan_in = shape[0] * shape[1] * (1 if depthwise else shape[2])
        inputs = [x, self.weight(name + '_weights', shape, (2 / fan_in) ** 0.5)]
        if fused:
            inputs.append(self.weight(name + '_bias', shape[2] if depthwise else shape[3], 0.1))
        op = ('Fused' if fused else '') + 'DepthwiseConv2dNative' if depthwise else '_FusedConv2D'
        return self.node(
            name,
            op,
            inputs,
            strides=dict(list=dict(i=['1', str(stride), str(stride), '1'])),
            padding=dict(s=encode('SAME')),
            fused_ops=dict(list=dict(s=[encode(word) for word in fused])),
        )

    def save(self, folder, name='model'):
        table = [
            dict(name=key, shape=list(value.shape), dtype='int32')
            if value.dtype == np.int32
            else dict(name=key, shape=list(value.shape), dtype='float32', quantization=dict(dtype='float16'))
            for key, value in self.weights.items()
        ]
        content = dict(
            format='graph-model',
            modelTopology=dict(node=self.nodes),
            weightsManifest=[dict(paths=[f'{name}.bin'], weights=table)],
        )
        (folder / f'{name}.bin').write_bytes(b''.join(value.tobytes() for value in self.weights.values()))
        (folder / f'{name}.json').write_text(json.dumps(content))
        return folder / f'{name}.json'


def encode(text):
    return base64.b64encode(text.encode()).decode()


def movenet(side=192):
    """Lightning, of random weights, without its other branches."""
    file = GraphFile()
    base = PYRAMID + 'model/'
    relu6 = ('BiasAdd', 'Relu6')
    x = file.conv(base + 'Conv1', ROOT + 'sub_1', (3, 3, 3, 32), 2, relu6)
    width, levels = 32, []
    for stage, (expansion, channels, blocks, first_stride) in enumerate(STAGES):
        for block in range(blocks):
            name, shortcut, hidden = f'{base}block_{stage}_{block}', x, width * expansion
            stride = first_stride if block == 0 else 1
            if expansion > 1:
                x = file.conv(name + '_expand', x, (1, 1, width, hidden), 1, relu6)
            x = file.conv(name + '_depthwise', x, (3, 3, hidden, 1), stride, relu6, depthwise=True)
            x = file.conv(name + '_project', x, (1, 1, hidden, channels))
            if stride == 1 and width == channels:
                x = file.node(name + '_add', 'AddV2', [shortcut, x])
            width = channels
        levels.append(x)
    top = file.conv(base + 'out_relu', x, (1, 1, 320, 1280), 1, relu6)
    laterals = [
        file.conv(PYRAMID + f'{name}/BiasAdd', x, (1, 1, *widths))
        for name, x, widths in (
            ('conv2d_3', levels[1], (24, 24)),
            ('conv2d_2', levels[2], (32, 32)),
            ('conv2d_1', levels[3], (64, 64)),
            ('conv2d', top, (1280, 64)),
        )
    ]
    x = laterals.pop()
    for index, (end, widths) in enumerate([('', (64, 32)), ('_1', (32, 24)), ('_2', (24, 24))]):
        x = upsampled(file, f'{PYRAMID}up{end}', x, side // 16 * 2**index)
        x = file.node(f'{PYRAMID}add{end}', 'AddV2', [x, laterals.pop()])
        x = separable(
            file, f'{PYRAMID}separable_conv2d{end}/separable_conv2d/depthwise', f'{PYRAMID}re_lu{end}/Relu', x, widths
        )
    branch = ROOT + 'kpt_heatmap_0/'
    x = separable(file, branch + 'separable_conv2d_4/separable_conv2d/depthwise', branch + 're_lu_4/Relu', x, (24, 96))
    file.conv(branch + 'conv2d_5/BiasAdd', x, (1, 1, 96, 17))
    return file


def separable(file, depthwise, pointwise, x, widths):
    x = file.conv(depthwise, x, (3, 3, widths[0], 1), fused=(), depthwise=True)
    return file.conv(pointwise, x, (1, 1, *widths), fused=('BiasAdd', 'Relu'))


def upsampled(file, name, x, size):
    file.node(name + '/size', 'Const', [])
    file.weights[name + '/size'] = np.array([size, size], np.int32)
    return file.node(name, 'ResizeBilinear', [x, name + '/size'], half_pixel_centers=dict(b=True))
