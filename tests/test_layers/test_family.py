"""The relatives of DyConv2d: their authors' numbers, their formulas as a loop, and what holds for all layers."""

import copy

import authors_numbers as authors
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dyconv_pose.layers import DCDConv2d, DyConv2d, KernelWarehouse2d, ODConv2d, make_dynamic

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


GEOMETRIES = [
    dict(kernel_size=1),
    dict(kernel_size=1, stride=2, bias=False),
    dict(kernel_size=3, padding=1),
    dict(kernel_size=5, padding=2, stride=2, bias=False),
    dict(kernel_size=3, stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    dict(kernel_size=(3, 5), padding='same'),
    dict(kernel_size=3, padding=(1, 2), padding_mode='reflect', stride=2),
    dict(kernel_size=3, padding=1, groups=2),
    dict(kernel_size=3, padding=1, groups=6, out_channels=6),
    dict(kernel_size=(2, 4), padding='same', padding_mode='circular'),
]
OPERATORS = [
    (ODConv2d, {}),
    (ODConv2d, dict(num_kernels=1)),
    (DCDConv2d, {}),
    (KernelWarehouse2d, {}),
    (KernelWarehouse2d, dict(budget=2, temperature=0.25)),
    (KernelWarehouse2d, dict(budget=0.5, temperature=0.0)),
]


def fits(kind, geometry) -> bool:
    return kind is not DCDConv2d or (geometry.get('groups', 1) == 1 and geometry['kernel_size'] != (2, 4))


CASES = [
    pytest.param(kind, geometry, options, id=f'{kind.__name__}-{geometry}-{options}')
    for kind, options in OPERATORS
    for geometry in GEOMETRIES
    if fits(kind, geometry)
]
TYPICAL = [case for case in CASES if case.values[1] in (GEOMETRIES[0], GEOMETRIES[2], GEOMETRIES[8])]


def conv_of(geometry) -> nn.Conv2d:
    return nn.Conv2d(**{'in_channels': 6, 'out_channels': 4} | geometry).double()


def make(kind, geometry, options, std=0.5) -> nn.Module:
    """A layer in double precision and evaluation mode that differs from sample to sample."""
    torch.manual_seed(0)
    network = nn.Sequential(conv_of(geometry))
    make_dynamic(network, kind, include=['*'], **options)
    layer = network[0]
    for name, value in layer.state_dict().items():
        if 'running_var' in name:
            value.uniform_(0.5, 2)
        elif value.is_floating_point() and not name.endswith('temperature'):
            value.normal_(std=std)
    return layer.eval()


def inputs(batch=3) -> torch.Tensor:
    return torch.randn(batch, 6, 8, 7, dtype=torch.float64) + torch.randn(batch, 6, 1, 1, dtype=torch.float64)


def normalised(values, norm) -> torch.Tensor:
    return (values - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def od_kernel(layer, sample) -> tuple:
    """ODConv's formulas, channel by channel."""
    attention = layer.attention
    h = normalised(attention.squeeze.weight @ sample.mean(dim=(1, 2)), attention.norm).clamp(min=0)
    z = {axis: (part.weight @ h + part.bias) / attention.temperature for axis, part in attention.axes.items()}
    pi = z['kernels'].exp() / z['kernels'].exp().sum() if 'kernels' in z else torch.ones(1).double()
    kernel = sum(share * one for share, one in zip(pi, layer.weight, strict=True)).clone()
    per_group, outs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    for o in range(layer.out_channels):
        for i in range(per_group):
            kernel[o, i] *= torch.sigmoid(z['inputs'][o // outs * per_group + i])
        if 'outputs' in z:
            kernel[o] *= torch.sigmoid(z['outputs'][o])
    if 'places' in z:
        kernel = kernel * torch.sigmoid(z['places']).view(layer.kernel_size)
    bias = None if layer.bias is None else sum(share * one for share, one in zip(pi, layer.bias, strict=True))
    return kernel, bias


def dcd_kernel(layer, sample) -> tuple:
    """DCD's formulas, as the matrices that the residual is made of."""
    attention = layer.attention
    h = attention.squeeze.weight @ F.adaptive_avg_pool2d(sample, int(attention.parts**0.5)).flatten()
    h = h * ((attention.gate.weight @ h + 3).clamp(0, 6) / 3)
    scale = (attention.scale.weight @ h + 3).clamp(0, 6) / 3
    phi = (attention.phi.weight @ h).view(attention.latent, attention.latent)

    def residual(values):  # (C_in,) -> (C_out,)
        z = normalised(layer.reduce.weight @ values, layer.norm1)
        return layer.expand.weight @ (normalised(phi @ z, layer.norm2) + z)

    constant = residual(torch.zeros(layer.in_channels).double())
    kernel = layer.weight[0] * scale[:, None, None, None]
    for i, one in enumerate(torch.eye(layer.in_channels).double()):
        kernel[:, i, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] += residual(one) - constant
    return kernel, constant if layer.bias is None else constant + layer.bias[0]


def warehouse_kernel(layer, sample) -> tuple:
    """KernelWarehouse's formulas, piece by piece."""
    attention = layer.attention
    h = normalised(attention.squeeze.weight @ sample.mean(dim=(1, 2)), attention.norm).clamp(min=0)
    cells = torch.cat([member.weight for member in layer.members])
    z = (attention.excite.weight @ h + attention.excite.bias).view(-1, len(cells) + 1)
    kernel = torch.zeros(layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size).double()
    c_out, c_in = cells.shape[1:]
    piece = 0
    for row in range(layer.kernel_size[0]):
        for column in range(layer.kernel_size[1]):
            for o in range(0, kernel.shape[0], c_out):
                for i in range(0, kernel.shape[1], c_in):
                    share = z[piece] / (z[piece].abs().sum() + 1e-3)
                    share = (1 - attention.temperature) * share + attention.temperature * attention.start[piece]
                    mixture = sum(s * cell for s, cell in zip(share[:-1], cells, strict=True))
                    kernel[o : o + c_out, i : i + c_in, row, column] = mixture
                    piece += 1
    return kernel, None if layer.bias is None else layer.bias[0]


KERNELS = {ODConv2d: od_kernel, DCDConv2d: dcd_kernel, KernelWarehouse2d: warehouse_kernel}


@torch.no_grad()
@pytest.mark.parametrize(('kind', 'geometry', 'options'), CASES)
def test_equals_the_definition(kind, geometry, options):
    layer, x, outputs = make(kind, geometry, options), inputs(), []
    for sample in x:
        conv = conv_of(geometry)
        kernel, bias = KERNELS[kind](layer, sample)
        conv.weight, conv.bias = nn.Parameter(kernel), None if bias is None else nn.Parameter(bias)
        outputs.append(conv(sample[None])[0])
    y = layer(x)
    torch.testing.assert_close(y, torch.stack(outputs), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x[:1]), y[:1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x[0]), y[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x.to(memory_format=torch.channels_last)), y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('geometry', [geometry for geometry in GEOMETRIES if fits(DCDConv2d, geometry)], ids=str)
def test_dcd_as_one_kernel_equals_its_terms(geometry):
    layer, x = make(DCDConv2d, geometry, {}), inputs()
    padded, left = layer.padded(x)
    torch.testing.assert_close(layer(x), layer._terms(padded, *layer.attention(x), left), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('kind', 'geometry', 'options'), TYPICAL)
def test_gradients(kind, geometry, options, training):
    layer, x = make(kind, geometry, options).train(training), inputs(2)[:, :, :4, :3].contiguous().requires_grad_()
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def forward(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    values = [parameter.detach().requires_grad_() for parameter in parameters]
    assert torch.autograd.gradcheck(forward, (x, *values), fast_mode=True)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    ('kind', 'geometry', 'options'), [case for case in CASES if case.values[2].get('budget', 1) >= 1]
)
def test_a_warm_start_is_exact(kind, geometry, options, training):
    layer, conv, x = make(kind, geometry, options).train(training), conv_of(geometry), inputs()
    before = {name: value.clone() for name, value in layer.named_buffers()}
    layer.load_state_dict(conv.state_dict(), strict=False)
    assert all(torch.equal(value, before[name]) for name, value in layer.named_buffers() if 'running' in name)
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-10, atol=1e-10)
    network = nn.Sequential(conv)
    at_start = {name: value for name, value in options.items() if name != 'temperature'}
    make_dynamic(network, kind, include=['*'], warm_start=True, **at_start)
    torch.testing.assert_close(network.train(training)(x), conv(x), rtol=1e-10, atol=1e-10)


class Block(nn.Module):
    """A small network of what mobile networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 8, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, 2, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer1(x)


def make_network(kind, options) -> nn.Module:
    """A trained network: weights, running statistics and attention are those of a few steps, and tau is another."""
    torch.manual_seed(0)
    network = Block()
    make_dynamic(network, kind, **{'temperature': 0.5} | options if kind is not DCDConv2d else options)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        loss = (network(torch.randn(4, 3, 16, 12) + torch.randn(4, 3, 1, 1)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
        optimizer.step()
    for name, parameter in network.named_parameters():  # far from a start, where all samples are alike
        if 'attention' in name:
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return network.eval()


@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_a_checkpoint_holds_everything_and_tau(kind, options):
    network, x = make_network(kind, options), torch.randn(2, 3, 16, 12)
    twin = Block()
    make_dynamic(twin, kind, **{name: value for name, value in options.items() if name != 'temperature'})
    twin.load_state_dict(network.state_dict())
    torch.testing.assert_close(twin.eval()(x), network(x))
    copied = copy.deepcopy(network)
    for parameter in network.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(copied(x), twin(x))  # a copy shares nothing with its source


@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
@pytest.mark.parametrize('training', [True, False])
def test_bfloat16_autocast_is_close(kind, options, training):
    network, x = make_network(kind, options).train(training), torch.randn(4, 3, 16, 12)
    expected = network(x)
    with torch.autocast('cpu', torch.bfloat16):
        found = network(x)
    found.float().sum().backward()
    assert (found.float() - expected).norm() < 0.1 * expected.norm()


@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_channels_last_and_half_types_as_a_whole_network(kind, options):
    network, x = make_network(kind, options), torch.randn(2, 3, 16, 12)
    expected = network(x)
    channels_last = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(channels_last(x.to(memory_format=torch.channels_last)), expected)
    found = network.bfloat16()(x.bfloat16())
    assert found.dtype == torch.bfloat16 and (found - expected).norm() < 0.1 * expected.norm()


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_an_exported_graph_takes_any_batch(kind, options, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    network, x = make_network(kind, options), torch.randn(5, 3, 16, 12)
    shapes = ({0: torch.export.Dim('batch')},)
    with torch.no_grad():
        program = torch.export.export(network, (x[:2],), dynamic_shapes=shapes, strict=False)
        torch.onnx.export(program, dynamo=True, input_names=['x']).save(str(tmp_path / 'network.onnx'))
    session = onnxruntime.InferenceSession(str(tmp_path / 'network.onnx'))
    for batch in (1, 2, 5):
        (found,) = session.run(None, {'x': x[:batch].numpy()})
        torch.testing.assert_close(torch.from_numpy(found), network(x[:batch]).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_compiled_equals_eager(kind, options):
    network, x = make_network(kind, options), torch.randn(3, 3, 16, 12)
    torch._dynamo.reset()
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-4, atol=1e-4)
    compiled.train()(x).sum().backward()


@pytest.mark.parametrize(('kind', 'options'), OPERATORS, ids=str)
def test_kernels_start_with_the_statistics_of_a_static_layer(kind, options):
    network = nn.Sequential(nn.Conv2d(64, 128, 3, padding=1))
    make_dynamic(network, kind, include=['*'], **options)
    network[0].init_weights()
    kernels = network[0].weight.detach()
    assert abs(float(kernels.std()) / (2 / (9 * 128)) ** 0.5 - 1) < 0.02
    assert abs(float(kernels.mean())) < 0.02 * float(kernels.std())


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


def test_a_checkpoint_of_another_operator_is_refused():
    state = {kind: make_network(kind, {}).state_dict() for kind in (DyConv2d, ODConv2d, DCDConv2d, KernelWarehouse2d)}
    for kind in state:
        network = Block()
        make_dynamic(network, kind)
        for other in state:
            if other is not kind:
                with pytest.raises(ValueError, match=r'another operator.*conv_cfg'):
                    network.load_state_dict(state[other], strict=False)


def test_dcd_is_left_out_where_it_does_not_fit():
    report = make_dynamic(Block(), DCDConv2d)
    assert report.converted == ('layer1.1', 'layer1.7', 'layer1.9')
    assert 'groups=16' in report.left['layer1.4'] and 'the residual of DCD mixes all channels' in str(report)


@pytest.mark.parametrize(
    ('build', 'match'),
    [
        (lambda: ODConv2d(8, 8, 3, reduction=0), 'reduction must be positive, got 0'),
        (lambda: ODConv2d(8, 8, 3, temperature=0.0), 'temperature must be positive, got 0.0'),
        (
            lambda: ODConv2d(8, 8, 3)(torch.zeros(1, 8, 5, 5)),
            '2 images per batch or more, or put the network into eval',
        ),
        (lambda: DCDConv2d(8, 8, 3, groups=8), 'groups=8.*leave it static'),
        (lambda: DCDConv2d(8, 8, (2, 3)), 'no centre.*leave it static'),
        (lambda: DCDConv2d(8, 8, 3, num_kernels=4), 'has no bank of kernels, got num_kernels=4'),
        (lambda: DCDConv2d(8, 8, 3, squeeze=0), 'squeeze must be at least 1, got 0'),
        (
            lambda: DCDConv2d(8, 8, 1)(torch.zeros(1, 8, 1, 1)),
            '2 images per batch or more, or put the network into eval',
        ),
        (lambda: KernelWarehouse2d(8, 8, 3)(torch.zeros(2, 8, 5, 5)), r'build it by make_dynamic\(network'),
        (lambda: KernelWarehouse2d(8, 8, 3, num_kernels=4), 'set budget'),
        (lambda: KernelWarehouse2d(8, 8, 3, temperature=30.0), 'between 0 and 1 .* got 30.0'),
        (lambda: KernelWarehouse2d(8, 8, 3, reduction=0), 'reduction must be positive, got 0'),
        (lambda: KernelWarehouse2d(8, 8, 3, budget=1.5), 'a whole number or one over a whole number, got 1.5'),
        (lambda: KernelWarehouse2d(8, 8, 3, warehouses=[dict(layers=['*'], budgt=2)]), "got {'layers'.*'budgt'"),
        (lambda: KernelWarehouse2d(8, 8, 3, warehouses=[dict(layers='layer1.*')]), 'needs a list of layers'),
        (
            lambda: make_network(KernelWarehouse2d, dict(warehouses=[dict(layers=['layer2'])])),
            "among .* got .*'layer2'",
        ),
        (lambda: make_network(KernelWarehouse2d, dict(cell_out=0.7)), 'must cut channels .* evenly'),
        (lambda: make_dynamic(Block(), KernelWarehouse2d, budget=0.5, warm_start=True), 'or set budget=1'),
        (lambda: make_dynamic(Block(), KernelWarehouse2d, temperature=0.5, warm_start=True), 'exact at temperature=1'),
    ],
)
def test_mistakes_are_refused(build, match):
    with pytest.raises(ValueError, match=match):
        build()


def test_a_static_checkpoint_is_refused_below_a_budget_of_one():
    network = Block()
    make_dynamic(network, KernelWarehouse2d, budget=0.5)
    with pytest.raises(ValueError, match='or set budget=1'):
        network.load_state_dict(Block().state_dict(), strict=False)
