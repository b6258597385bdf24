"""Products of matrices sample by sample: on CPUs in float32, large ones by oneDNN.

``torch.bmm`` is MKL's, one call for all samples. oneDNN is quicker on AMD's processors (``by_channel`` against
``by_channel, MKL`` in the tables of ``benchmarks/layer_cost.py``; no others were measured), but multiplies one sample
at a time, by the operator that ``torch.compile`` takes for linear layers.
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
    mkldnn = torch.backends.mkldnn
    is_float = x.dtype == torch.float32 and x.device.type == 'cpu'
    return LINEAR is not None and is_float and mkldnn.is_available() and mkldnn.enabled


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 1x1 convolution of x (1, C_in, H, W) in channels_last as one product of oneDNN's, without gradients.

    ``F.conv2d`` is slower for a single sample: with one thread it is MKL's product.
    """
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)  # (H * W, C_in)
    bias = None if bias is None else bias.contiguous()  # its strides would not be looked at
    y = LINEAR(rows, weight.flatten(1), bias, 'none', [], '')
    return y.view(1, *x.shape[2:], -1).permute(0, 3, 1, 2)


def multiply(left: Tensor, right: Tensor, out: Tensor, add: bool = False) -> None:
    """Writes the products of B pairs of matrices, (B, m, n) and (B, n, p), into ``out`` (B, m, p), or adds them."""
    if out.stride(2) != 1:  # both libraries write rows
        left, right, out = right.transpose(1, 2), left.transpose(1, 2), out.transpose(1, 2)
    (_, m, n), p = left.shape, right.shape[2]
    is_large = m * n * p >= OWN_CALL and (left.stride(2) == 1 or min(m, p) >= _WORTH_TURNING)
    if not (is_large and is_available(left)):
        out.baddbmm_(left, right) if add else torch.bmm(left, right, out=out)
        return
    rows, columns = left, right.transpose(1, 2)
    if left.stride(2) != 1 and m > p:  # the smaller matrix is the one to be turned round
        rows, columns, out = columns, rows, out.transpose(1, 2)
    if not (columns[:1].is_contiguous() or columns[:1].transpose(1, 2).is_contiguous()):  # 100 times as slow
        columns = columns.contiguous()
    for some_rows, some_columns, result in zip(rows, columns, out, strict=True):
        y = LINEAR(some_rows, some_columns, None, 'none', [], '')
        result.add_(y) if add else result.copy_(y)
