"""Products of matrices sample by sample: whichever library multiplies, they are those of ``torch.bmm``."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from dyconv_pose.layers import DyConv2d
from dyconv_pose.layers.cpu import products
from dyconv_pose.layers.cpu.products import multiply

SIZES = st.integers(1, 70)


def matrices(batch, rows, columns, transposed, gaps=0):
    if transposed:
        return matrices(batch, columns, rows, False, gaps).transpose(1, 2)
    return torch.randn(batch, rows, columns + gaps)[..., :columns]


def product(left, right):
    out = left.new_empty(*left.shape[:2], right.shape[2])
    multiply(left, right, out)
    return out


@pytest.fixture
def calls(monkeypatch):
    """The calls of the operator that multiplies one sample, of however few multiply-adds."""
    if products.LINEAR is None or not torch.backends.mkldnn.is_available():
        pytest.skip('PyTorch is built without oneDNN')
    seen, linear = [], products.LINEAR
    monkeypatch.setattr(products, 'OWN_CALL', 0)
    monkeypatch.setattr(products, 'LINEAR', lambda *args: seen.append(args) or linear(*args))
    return seen


@given(st.integers(0, 3), SIZES, SIZES, SIZES, *[st.booleans()] * 3, *[st.integers(0, 2)] * 3)
def test_equals_bmm(batch, m, n, p, left_turned, right_turned, out_turned, left_gaps, right_gaps, out_gaps):
    left, right = matrices(batch, m, n, left_turned, left_gaps), matrices(batch, n, p, right_turned, right_gaps)
    out, expected = matrices(batch, m, p, out_turned, out_gaps), torch.bmm(left, right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, 'OWN_CALL', 0)
        multiply(left, right, out)
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
        multiply(left, right, out, add=True)
        torch.testing.assert_close(out, 2 * expected, rtol=1e-4, atol=1e-4)


def test_large_products_have_a_call_for_each_sample(calls, monkeypatch):
    left, right = torch.randn(3, 20, 30), torch.randn(3, 30, 60)
    product(left, right)
    assert len(calls) == 3
    monkeypatch.setattr(products, 'OWN_CALL', 20 * 30 * 60 + 1)
    product(left, right)
    assert len(calls) == 3


def test_the_smaller_matrix_is_turned_round(calls):
    product(matrices(1, 60, 10, True), matrices(1, 10, 50, False))
    assert calls[0][0].shape == (50, 10)


def test_narrow_matrices_are_not_turned_round(calls):
    product(matrices(1, 60, 10, True), matrices(1, 10, 20, False))
    assert not calls


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_other_types_are_left_to_bmm(calls, dtype):
    left, right = torch.randn(2, 9, 8, dtype=dtype), torch.randn(2, 8, 9, dtype=dtype)
    assert torch.equal(product(left, right), torch.bmm(left, right))
    assert not calls


def test_without_onednn(calls):
    with torch.backends.mkldnn.flags(enabled=False):
        product(torch.randn(2, 9, 8), torch.randn(2, 8, 9))
    assert not calls


@pytest.mark.parametrize('turned', [False, True])
def test_operands_with_gaps_are_copied(calls, turned):
    """Correct without it, but a hundred times slower."""
    product(torch.randn(2, 60, 50), matrices(2, 50, 70, turned, gaps=3))
    assert all(columns.is_contiguous() or columns.t().is_contiguous() for _, columns, *_ in calls)
    assert len(calls) == 2


@pytest.fixture
def layer():
    return DyConv2d(12, 20, 1).to(memory_format=torch.channels_last)


@pytest.fixture
def sample():
    return torch.randn(1, 12, 6, 5).to(memory_format=torch.channels_last)


def test_one_sample_is_one_product(calls, layer, sample):
    """Of a single sample a 1x1 convolution in channels_last is a product; where a graph is recorded, a convolution."""
    expected = layer(sample).detach()
    assert not calls  # it is to be differentiated
    with torch.no_grad():
        y = layer(sample)
        assert len(calls) == 1
        torch.testing.assert_close(y, expected)
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(layer(sample.contiguous()), expected)
        with torch.autocast('cpu', torch.bfloat16):
            assert layer(sample).dtype == torch.bfloat16
        torch.testing.assert_close(torch.jit.trace(layer, sample, check_trace=False)(sample), expected)
        layer(sample[:0])
    assert len(calls) == 1


def test_one_sample_is_one_graph(layer, sample):
    with torch.no_grad():
        expected = layer(sample)
        compiled = torch.compile(layer, fullgraph=True, backend='eager')
        torch.testing.assert_close(compiled(sample), expected)
        exported = torch.export.export(layer, (sample,), strict=True)
        torch.testing.assert_close(exported.module()(sample), expected)


def test_counters_of_flops_see_it(calls, layer, sample):
    with torch.no_grad(), FlopCounterMode(display=False) as as_product:
        layer(sample)
    with torch.no_grad(), FlopCounterMode(display=False) as as_convolution:
        layer(sample.contiguous())
    assert len(calls) == 1
    assert as_product.get_total_flops() == as_convolution.get_total_flops()


@pytest.mark.parametrize('bias', [torch.tensor(2.0).expand(20), torch.arange(40.0)[::2]])
def test_biases_of_any_strides(layer, sample, bias):
    weight = torch.randn(20, 12, 1, 1)
    torch.testing.assert_close(products.pointwise(sample, weight, bias), F.conv2d(sample, weight, bias))
