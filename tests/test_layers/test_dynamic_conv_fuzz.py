"""DyConv2d by chance: whatever shape, stride, group, dilation or memory layout, it is the loop over samples.

The tests know the public layer alone, so they hold for every way in which it may be executed.
"""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dyconv_pose.layers import Conv2dSame, DyConv2d

LAYOUTS = ('contiguous', 'channels_last', 'transposed', 'strided', 'expanded')


@st.composite
def cases(draw):
    """A layer in double precision, and an input that it can take; also an empty batch and an image of one pixel."""
    groups = draw(st.integers(1, 4))
    c_in, c_out = groups * draw(st.integers(1, 4)), groups * draw(st.integers(1, 4))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.just('valid'), st.just('same')))
    mode = draw(st.sampled_from(['zeros', 'reflect', 'replicate', 'circular']))
    pad = padding if isinstance(padding, tuple) else (0, 0)
    extents = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    at_least = [max(e + 1 - 2 * p, 1) for e, p in zip(extents, pad, strict=True)]
    if mode != 'zeros':  # PyTorch pads by less than the image's size
        wide = [(e + 1) // 2 for e in extents] if padding == 'same' else pad
        at_least = [max(size, p + 1) for size, p in zip(at_least, wide, strict=True)]
    size = [size + draw(st.integers(0, 5)) for size in at_least]
    layer = DyConv2d(
        c_in, c_out, kernel, stride, padding, dilation, groups, draw(st.booleans()), mode,
        num_kernels=draw(st.integers(1, 5)), reduction=draw(st.integers(1, 8)),
        temperature=draw(st.sampled_from([0.1, 1.0, 30.0])),
    ).double()  # fmt: skip
    batch = draw(st.integers(0, 4))
    x = laid_out(torch.randn(batch, c_in, *size, dtype=torch.float64), draw(st.sampled_from(LAYOUTS)))
    return layer, x


def laid_out(x, layout):
    """The same numbers (for 'expanded': the first sample's), otherwise arranged in memory."""
    if layout == 'channels_last':
        return x.contiguous(memory_format=torch.channels_last)
    if layout == 'transposed':
        return x.transpose(2, 3).contiguous().transpose(2, 3)
    if layout == 'strided':
        wide = torch.zeros(*x.shape[:3], 2 * x.shape[3], dtype=x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if layout == 'expanded' and len(x):
        return x[:1].expand_as(x)
    return x


def static_layer(layer, attention):
    """The static convolution that one sample meets."""
    conv = Conv2dSame if layer.padding == 'same' else torch.nn.Conv2d
    static = conv(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
        layer.groups, layer.bias is not None, layer.padding_mode,
    ).double()  # fmt: skip
    weights = attention.view(-1, 1, 1, 1, 1)
    static.weight.data = (weights * layer.weight).sum(0).detach()
    if layer.bias is not None:
        static.bias.data = (attention.view(-1, 1) * layer.bias).sum(0).detach()
    return static


def attention_of(layer, sample):
    """Section 3.2 of the paper, by hand."""
    part = layer.attention
    hidden = F.relu(F.linear(sample.mean(dim=(1, 2)), part.squeeze.weight, part.squeeze.bias))
    return torch.softmax(F.linear(hidden, part.excite.weight, part.excite.bias) / part.temperature, dim=0)


def check(layer, x):
    torch.manual_seed(1)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    before, x = x.clone(), x.requires_grad_()
    y = layer(x)
    with torch.no_grad():
        rows = [static_layer(layer, attention_of(layer, sample))(sample[None]) for sample in x]
    if rows:
        torch.testing.assert_close(y, torch.cat(rows), rtol=1e-9, atol=1e-9)
    else:
        static = static_layer(layer, torch.ones(layer.num_kernels, dtype=torch.float64))
        assert y.shape == static(x.detach()).shape
    y.square().sum().backward()
    assert x.grad.shape == x.shape and x.grad.isfinite().all()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())
    assert torch.equal(x.detach(), before)
    return True


def examples(number):
    return settings(
        max_examples=number, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )


@given(cases())
@examples(60)
def test_equals_the_loop_over_samples(case):
    check(*case)


@pytest.mark.slow
def test_equals_the_loop_over_samples_many_times(record):
    counts = dict(cases=0, of_batch_0=0, of_batch_1=0, not_contiguous=0)

    @given(cases())
    @examples(4000)
    def many(case):
        layer, x = case
        counts['of_batch_0'] += len(x) == 0
        counts['of_batch_1'] += len(x) == 1
        counts['not_contiguous'] += not x.is_contiguous()
        counts['cases'] += check(layer, x)

    many()
    assert min(counts.values()) > 100
    record('fuzzed layer', **counts)
