"""The relatives of DyConv2d against their authors' code: numbers that it gave, and parameters of whole networks."""

import authors_numbers as authors
import pytest
import torch
from torch import nn

from dyconv_pose.layers import DCDConv2d, KernelWarehouse2d, ODConv2d, make_dynamic

#: Parts of the authors' parameter names and ours.
NAMES = {
    ODConv2d: {
        'attention.fc.': 'attention.squeeze.',
        'attention.bn.': 'attention.norm.',
        'attention.channel_fc.': 'attention.axes.inputs.',
        'attention.filter_fc.': 'attention.axes.outputs.',
        'attention.spatial_fc.': 'attention.axes.places.',
        'attention.kernel_fc.': 'attention.axes.kernels.',
    },
    DCDConv2d: {
        'conv.weight': 'weight',
        'conv_q.': 'reduce.',
        'conv_p.': 'expand.',
        'q.': 'reduce.',
        'p.': 'expand.',
        'bn': 'norm',
        'fc.0.': 'attention.squeeze.',
        'fc.1.fc.0.': 'attention.gate.',
        'fc_phi.': 'attention.phi.',
        'fc_scale.': 'attention.scale.',
    },
}
ORACLES = [
    pytest.param(layer, case, mode, id=f'{layer.__name__}-{case["arguments"]}-{mode}')
    for layer, name in ((ODConv2d, 'odconv'), (DCDConv2d, 'dcd'))
    for case in authors.cases(name)
    for mode in ('train', 'eval')
    if mode in case
]


def our_name(layer: type, name: str) -> str:
    part = next((part for part in NAMES[layer] if name.startswith(part)), '')
    return NAMES[layer].get(part, '') + name[len(part) :]


@pytest.mark.parametrize(('kind', 'case', 'mode'), ORACLES)
def test_equals_the_authors_code(kind, case, mode):
    seed, expected = case['seed'], case[mode]
    layer = kind(**case['arguments'], bias=False).double().train(mode == 'train')
    state = layer.state_dict()
    names = {name: our_name(kind, name) for name in case['eval']['of'] if name != 'x'}
    names |= {name.replace('weight', part): our_name(kind, name.replace('weight', part))
              for name in names if '.bn' in f'.{name}' for part in ('running_mean', 'running_var')}  # fmt: skip
    for theirs, ours in names.items():
        state[ours].copy_(authors.drawn(theirs, tuple(state[ours].shape), seed))
    assert {name for name in state if 'temperature' not in name and 'batches' not in name} == set(names.values())
    x = authors.drawn('x', tuple(case['input']), seed).requires_grad_()
    y = layer(x)
    authors.loss(y, seed).backward()
    found = {ours: parameter.grad for ours, parameter in layer.named_parameters()} | dict(layer.named_buffers())
    of = {name: x.grad if name == 'x' else found[names[name]] for name in expected['of']}
    authors.assert_equal(authors.digest(y, of, seed), expected)


@pytest.mark.parametrize(
    ('case', 'mode'),
    [(case, mode) for case in authors.cases('kernel_warehouse') for mode in ('train', 'eval') if mode in case],
    ids=lambda value: value if isinstance(value, str) else str(value['arguments']),
)
def test_kernel_warehouse_equals_the_authors_code(case, mode):
    seed, expected = case['seed'], case[mode]
    network = nn.Sequential(*(nn.Conv2d(**{'bias': False} | layer) for layer in case['layers'])).double()
    make_dynamic(network, KernelWarehouse2d, include=['*'], warehouses=[dict(layers=['*'])], **case['arguments'])
    network.train(mode == 'train')
    warehouses = list(dict.fromkeys(layer.members for layer in network))
    cells = [[layer.weight for layer in members] for members in warehouses]
    assert [[sum(map(len, own)), *own[0].shape[1:], 1, 1] for own in cells] == case['warehouses']
    state = network.state_dict(keep_vars=True)
    ours = {f'manager.weights.{n}': own for n, own in enumerate(cells)}
    for name in state:
        theirs = name.replace('squeeze', 'fc1').replace('norm', 'norm1').replace('excite', 'fc2')
        if state[name].dim() and name[1:] != '.weight':
            ours[f'layers.{theirs}'] = [state[name]]
    for theirs, parts in ours.items():
        value = authors.drawn(theirs, (sum(map(len, parts)), *parts[0].shape[1:]), seed)
        for part, drawn in zip(parts, value.split([len(part) for part in parts]), strict=True):
            part.data.copy_(drawn.view_as(part))
    x = authors.drawn('x', tuple(case['input']), seed).requires_grad_()
    y = network(x)
    authors.loss(y, seed).backward()
    of = {name: torch.cat([part if part.grad is None else part.grad for part in parts]) for name, parts in ours.items()}
    of['x'] = x.grad
    authors.assert_equal(authors.digest(y, {name: of[name] for name in expected['of']}, seed), expected)


def mobilenet_v2(width: float = 1.0, classes: int = 1000) -> nn.Module:
    """MobileNetV2's convolutions and normalisations under MMPose's names, and a classifier as a 1x1 convolution."""

    def block(c_in, c_out, k=1, groups=1):
        return nn.ModuleDict(
            {'conv': nn.Conv2d(c_in, c_out, k, padding=k // 2, groups=groups, bias=False), 'bn': nn.BatchNorm2d(c_out)}
        )

    def rounded(channels):
        return max(8, int(channels * width + 4) // 8 * 8)

    network, c_in = nn.ModuleDict({'conv1': block(3, rounded(32), 3)}), rounded(32)
    table = [(1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)]
    for stage, (expansion, channels, repeats) in enumerate(table, 1):
        network[f'layer{stage}'] = nn.ModuleList()
        for _ in range(repeats):
            hidden, c_out = c_in * expansion, rounded(channels)
            convs = [block(c_in, hidden)] if expansion > 1 else []
            convs += [block(hidden, hidden, 3, groups=hidden), block(hidden, c_out)]
            network[f'layer{stage}'].append(nn.ModuleDict({'conv': nn.ModuleList(convs)}))
            c_in = c_out
    network['conv2'] = block(c_in, 1280)
    network['classifier'] = nn.Conv2d(1280, classes, 1)
    return network


#: The stages whose layers share cells in the authors' MobileNetV2: each begins after a stage's first block.
STAGES = [
    ['layer1.*', 'layer2.0.*'],
    ['layer2.[1-9].*', 'layer3.0.*'],
    ['layer3.[1-9].*', 'layer4.0.*'],
    ['layer4.[1-9].*', 'layer5.0.*'],
    ['layer5.[1-9].*', 'layer6.0.*'],
    ['layer6.[1-9].*', 'layer7.*', 'conv2.*'],
]


def num_parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(('width', 'static', 'expected'), [(1.0, 3504872, 5168146), (0.5, 1968680, 2854522)])
def test_kernel_warehouse_has_the_authors_parameters(width, static, expected):
    network = mobilenet_v2(width)
    assert num_parameters(network) == static
    make_dynamic(
        network, KernelWarehouse2d, include=['*'], exclude=['classifier'], warehouses=[dict(layers=s) for s in STAGES]
    )
    assert num_parameters(network) == expected  # 5.17M and 2.85M in their table
    named, by_default = mobilenet_v2(width), mobilenet_v2(width)
    make_dynamic(
        named, KernelWarehouse2d, exclude=['conv2.*', 'classifier'], warehouses=[dict(layers=s) for s in STAGES]
    )
    make_dynamic(by_default, KernelWarehouse2d, exclude=['conv2.*', 'classifier'])
    assert num_parameters(named) == num_parameters(by_default)


@pytest.mark.parametrize(
    ('width', 'expected', 'of_backbone'), [(1.0, 2654396, (1927676, 2223872)), (0.5, 1466888, (740168, 687680))]
)
def test_half_a_kernel_warehouse_has_the_authors_parameters(width, expected, of_backbone):
    network = mobilenet_v2(width)
    depthwise = ['layer1.0.conv.0.conv', 'layer[2-7].*.conv.1.conv']
    first, last = (['layer6.[12].conv.0.conv', 'layer7.0.conv.0.conv'],
                   ['layer6.[12].conv.2.conv', 'layer7.0.conv.2.conv', 'conv2.conv'])  # fmt: skip
    make_dynamic(
        network,
        KernelWarehouse2d,
        include=['conv1.*', 'classifier', *depthwise, *first, *last],
        warehouses=[
            dict(layers=first, budget=0.5),
            dict(layers=last, budget=0.5),
            dict(layers=['classifier'], budget=0.5, cell_in=0.025, cell_out=1),
            *(dict(layers=stage) for stage in STAGES),
        ],
        reduction=32,
    )
    assert num_parameters(network) == expected  # 2.65M and 1.47M in their table
    static = mobilenet_v2(width)
    del network['classifier'], static['classifier']  # as in keypoint networks
    assert (num_parameters(network), num_parameters(static)) == of_backbone
