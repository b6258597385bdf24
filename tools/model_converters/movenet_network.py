"""MoveNet as a network of MMPose: DyMobileNetV2, SeparableFPN and SeparableHead, with the graph's weights.

In the graph, batch normalisation is folded into the convolutions. It is unfolded by each convolution's statistics on
crops of people, so that the network computes the same in training mode. MoveNet's centre, regression and offset
branches are left out.
"""

import torch
from mmcv.cnn import ConvModule
from mmpose.registry import MODELS
from model_converters.tfjs import Graph, conv_weight, evaluate
from torch import Tensor, nn

import dyconv_pose.registration  # noqa: F401

ROOT = 'StatefulPartitionedCall/'
PYRAMID = ROOT + 'center_net_mobile_net_v2fpn_feature_extractor/model_1/'
INPUT, OUTPUT = ROOT + 'sub_1', ROOT + 'kpt_heatmap_0/conv2d_5/BiasAdd'

#: By the channels of the stem: the name, settings of the backbone and of the neck, and the side of the graph's input.
VERSIONS = {
    32: ('lightning', dict(widen_factor=1.0), dict(in_channels=(24, 32, 64, 1280)), 192),
    56: ('thunder', dict(widen_factor=1.75, last_channels=1280), dict(in_channels=(40, 56, 112, 1280)), 256),
}

#: The layers of neck and head, and the nodes that they come from.
LAYERS = {
    'neck.laterals.0': PYRAMID + 'conv2d_3/BiasAdd',
    'neck.laterals.1': PYRAMID + 'conv2d_2/BiasAdd',
    'neck.laterals.2': PYRAMID + 'conv2d_1/BiasAdd',
    'neck.laterals.3': PYRAMID + 'conv2d/BiasAdd',
    'neck.fusions.0.0': PYRAMID + 'separable_conv2d_2/separable_conv2d/depthwise',
    'neck.fusions.0.1': PYRAMID + 're_lu_2/Relu',
    'neck.fusions.1.0': PYRAMID + 'separable_conv2d_1/separable_conv2d/depthwise',
    'neck.fusions.1.1': PYRAMID + 're_lu_1/Relu',
    'neck.fusions.2.0': PYRAMID + 'separable_conv2d/separable_conv2d/depthwise',
    'neck.fusions.2.1': PYRAMID + 're_lu/Relu',
    'head.conv_layers.0': ROOT + 'kpt_heatmap_0/separable_conv2d_4/separable_conv2d/depthwise',
    'head.conv_layers.1': ROOT + 'kpt_heatmap_0/re_lu_4/Relu',
    'head.conv_layers.3': OUTPUT,
}

#: Largest difference from the graph's heatmaps, absolute in evaluation mode and relative in training mode.
EVAL_TOLERANCE, TRAIN_TOLERANCE = 1e-4, 0.01


@torch.no_grad()
def convert(graph: Graph, crops: Tensor) -> tuple[nn.Module, dict[str, str | float]]:
    """Makes the static network and holds it against the graph.

    Args:
        graph: MoveNet Lightning or Thunder.
        crops: People, (B, 3, H, W), RGB from -1 to 1.

    Returns:
        The estimator, in evaluation mode; and the name of the version with the differences of heatmaps.

    Raises:
        ValueError: The graph is another model, lacks a weight, or the network computes something else than it.
    """
    backbone = [
        name for name, node in graph.nodes.items() if 'model_1/model/' in name and 'onv2d' in node['op'].lower()
    ]
    width = len(_kernel(graph, backbone[0])[0]) if backbone else 0
    if width not in VERSIONS:
        raise ValueError(f'{graph.path} is not MoveNet Lightning or Thunder, version 4: its stem has {width} channels.')
    version, settings, levels, side = VERSIONS[width]
    model = _build(settings, levels)
    pairs = [(part.conv, part.bn) for part in model.backbone.modules() if isinstance(part, ConvModule)]
    if len(pairs) != len(backbone):
        raise ValueError(f'{graph.path} is another version: {len(backbone)} convolutions in place of {len(pairs)}.')
    for name, (conv, norm) in zip(backbone, pairs, strict=True):
        _copy(graph, name, conv.weight, norm.bias)
        norm.weight.fill_(1), norm.running_mean.zero_(), norm.running_var.fill_(1 - norm.eps)
    for layer, name in LAYERS.items():
        conv = model.get_submodule(layer)
        _copy(graph, name, conv.weight, conv.bias)
    _set_mode(model, training=False)
    expected = model(crops, None, mode='tensor')
    _unfold(model, pairs, crops)
    return model, {'version': version, **_differences(graph, model, crops, expected, side)}


def _kernel(graph: Graph, name: str) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a node, as ``nn.Conv2d`` has them."""
    _, weight, *bias = graph.inputs_of(name)
    return conv_weight(graph.nodes[name], graph.weight(weight)), graph.weight(bias[0]) if bias else None


def _copy(graph: Graph, name: str, weight: Tensor, bias: Tensor | None) -> None:
    """Copies weight and bias of a node to a layer."""
    for theirs, ours in zip(_kernel(graph, name), (weight, bias), strict=True):
        shapes = [None if value is None else tuple(value.shape) for value in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise ValueError(f'{graph.path} is another version: {name!r} has the shape {shapes[0]}, not {shapes[1]}.')
        if ours is not None:
            ours.copy_(theirs)


def _build(settings: dict, levels: dict) -> nn.Module:
    static = dict(conv_cfg=None)
    return MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            backbone=dict(type='DyMobileNetV2', padding='same', out_indices=(1, 2, 3, 7), **static, **settings),
            neck=dict(type='SeparableFPN', **static, **levels),
            head=dict(type='SeparableHead', loss=dict(type='KeypointMSELoss'), **static),
        )
    )


def _set_mode(model: nn.Module, training: bool) -> None:
    for part in model.modules():  # one by one: the backbones of MMPose override train()
        part.training = training


def _unfold(model: nn.Module, pairs: list[tuple[nn.Module, nn.Module]], crops: Tensor) -> None:
    """Sets each normalisation to the statistics of its convolution, the network's function staying as it is."""
    statistics = {}

    def record(conv: nn.Module, args: tuple, output: Tensor) -> None:
        statistics[conv] = output.mean((0, 2, 3)), output.var((0, 2, 3)).clamp(min=1e-6)

    handles = [conv.register_forward_hook(record) for conv, _ in pairs]
    model(crops, None, mode='tensor')
    for handle, (conv, norm) in zip(handles, pairs, strict=True):
        handle.remove()
        mean, variance = statistics[conv]
        norm.running_mean.copy_(mean), norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt()), norm.bias.add_(mean)


def _differences(graph: Graph, model: nn.Module, crops: Tensor, expected: Tensor, side: int) -> dict[str, float]:
    """Largest difference from the graph on squares of its input's size; relative difference in training mode."""
    squares = nn.functional.interpolate(crops[:4], (side, side), mode='bilinear')
    (logits,) = evaluate(graph, {INPUT: squares.permute(0, 2, 3, 1)}, [OUTPUT])
    heatmaps = logits.sigmoid().permute(0, 3, 1, 2)
    in_evaluation = (model(squares, None, mode='tensor') - heatmaps).abs().max().item()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    _set_mode(model, training=True)
    in_training = ((model(crops, None, mode='tensor') - expected).norm() / expected.norm()).item()
    model.load_state_dict(state)  # training mode has moved the running statistics
    _set_mode(model, training=False)
    if not in_evaluation <= EVAL_TOLERANCE or not in_training <= TRAIN_TOLERANCE:
        raise ValueError(
            f'The network differs from {graph.path}: by {in_evaluation:.1e} in evaluation mode (at most '
            f'{EVAL_TOLERANCE}) and by {in_training:.1%} in training mode (at most {TRAIN_TOLERANCE:.0%}): the graph '
            'is another version, or the crops are too few.'
        )
    return dict(eval_difference=in_evaluation, train_difference=in_training)
