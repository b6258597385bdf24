"""Products of matrices sample by sample: on CPUs in float32, large ones by oneDNN.

``torch.bmm`` is MKL's, one call for all samples. PyTorch's convolutions are oneDNN's, which is quicker on
AMD's processors (``by_channel`` against ``by_channel, MKL`` in the tables of ``benchmarks/layer_cost.py``; no others
were measured). Of float32 it multiplies one sample at a time, by the operator that ``torch.compile`` takes for linear
layers: so each sample of a large product has a call of its own, and small products are ``torch.bmm``'s.

Shape letters: B batch, C_in and C_out channels, H and W height and width; matrices are (m, n) and (n, p).
"""

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

#: Multiply-adds of a sample from which its product has a call of its own: a call takes as long as some millions.
OWN_CALL = 3_000_000

#: Rows or columns of the product below which a matrix is not worth turning round in memory for it.
_WORTH_TURNING = 48

#: The product of rows (m, n) and columns (p, n); ``None`` where PyTorch is built without oneDNN.
LINEAR = getattr(torch.ops.mkldnn, '_linear_pointwise', None)


if LINEAR is not None:

    @register_flop_formula(LINEAR)
    def _flops(rows: torch.Size, columns: torch.Size, *args: object, **kwargs: object) -> int:
        return 2 * rows[0] * rows[1] * columns[0]


def is_available(x: Tensor) -> bool:
    """Whether oneDNN multiplies matrices of the type and on the device of x."""
    return (
        LINEAR is not None
        and x.dtype == torch.float32
        and x.device.type == 'cpu'
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
    )


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 1x1 convolution of one sample in channels_last as one product of oneDNN's, without gradients.

    ``F.conv2d`` is slower for a single sample: with one thread it is MKL's product. x is (1, C_in, H, W), ``weight``
    (C_out, C_in, 1, 1), ``bias`` (C_out,).
    """
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)  # (H * W, C_in)
    bias = None if bias is None else bias.contiguous()  # its strides would not be looked at
    y = LINEAR(rows, weight.flatten(1), bias, 'none', [], '')
    return y.view(1, *x.shape[2:], -1).permute(0, 3, 1, 2)


def multiply(left: Tensor, right: Tensor, out: Tensor | None = None, add: bool = False) -> Tensor:
    """The products of B pairs of matrices.

    Args:
        left: (B, m, n).
        right: (B, n, p).
        out: (B, m, p), where they are written.
        add: Whether they are added to what stands there.

    Returns:
        (B, m, p); ``out`` if that is given.
    """
    if not _has_own_calls(left, right):
        return out.baddbmm_(left, right) if add else torch.bmm(left, right, out=out)
    if left.stride(2) != 1 and left.shape[1] > right.shape[2]:  # the smaller matrix is the one to be turned round
        turned = None if out is None else out.transpose(1, 2)
        return multiply(right.transpose(1, 2), left.transpose(1, 2), turned, add).transpose(1, 2)
    if out is None:
        out = left.new_empty(left.shape[0], left.shape[1], right.shape[2])
    columns = right.transpose(1, 2)
    if not (columns[:1].is_contiguous() or right[:1].is_contiguous()):  # with gaps between rows: 100 times as slow
        columns = columns.contiguous()
    for one, other, result in zip(left, columns, out, strict=True):
        product = LINEAR(one, other, None, 'none', [], '')
        result.add_(product) if add else result.copy_(product)
    return out


def _has_own_calls(left: Tensor, right: Tensor) -> bool:
    """Whether oneDNN multiplies the samples one by one."""
    (_, m, n), p = left.shape, right.shape[2]
    large = m * n * p >= OWN_CALL and (left.stride(2) == 1 or min(m, p) >= _WORTH_TURNING)
    return large and is_available(left)
