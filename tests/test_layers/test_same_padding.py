"""SAME padding against its definition in TensorFlow, of which the results were computed by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dyconv_pose.layers import Conv2dSame, DyConv2d


@pytest.mark.parametrize(
    ('size', 'kernel', 'stride', 'dilation', 'padded'),
    [
        (6, 3, 2, 1, (0, 1)),  # 3 outputs, (3 - 1) * 2 + 3 = 7 inputs: one too few, at the end
        (7, 3, 2, 1, (1, 1)),
        (6, 5, 2, 1, (1, 2)),
        (6, 1, 2, 1, (0, 0)),  # 3 outputs need 5 inputs
        (6, 3, 1, 2, (2, 2)),
        (8, 3, 4, 1, (0, 0)),
        (5, 2, 1, 1, (0, 1)),
    ],
)
def test_places_of_the_kernel(size, kernel, stride, dilation, padded):
    """With a kernel of ones, outputs count the inputs that each place sees: those in the image."""
    ones, reach = nn.functional.pad(torch.ones(size), padded), dilation * (kernel - 1) + 1
    starts = range(0, -(-size // stride) * stride, stride)
    expected = torch.stack([ones[start : start + reach : dilation].sum() for start in starts])
    conv = Conv2dSame(1, 1, (1, kernel), (1, stride), dilation=(1, dilation), bias=False)
    nn.init.ones_(conv.weight)
    assert torch.equal(conv(torch.ones(1, 1, 3, size))[0, 0, 1], expected)
    layer = DyConv2d(1, 1, (1, kernel), (1, stride), 'same', (1, dilation), bias=False)
    layer.load_state_dict(conv.state_dict())
    torch.testing.assert_close(layer(torch.ones(2, 1, 3, size))[1, 0, 1], expected)


def test_attention_sees_the_image_and_not_the_padding():
    layer = DyConv2d(4, 8, 3, 2, 'same', temperature=1)
    with torch.no_grad():
        layer.attention.excite.weight.mul_(20)
    x = torch.randn(2, 4, 8, 6)
    attention = layer.attention(x)
    outputs = [F.conv2d(F.pad(x, (0, 1, 0, 1)), kernel, stride=2) for kernel in layer.weight]
    expected = sum(attention[:, k, None, None, None] * y for k, y in enumerate(outputs))
    torch.testing.assert_close(layer(x), expected)


def test_a_number_from_conv_module_is_not_followed():
    conv = Conv2dSame(3, 4, 3, 2, 1)
    assert conv.padding == 'same'
    assert conv(torch.zeros(1, 3, 6, 8)).shape == (1, 4, 3, 4)
