"""TensorFlow's padding SAME, static and dynamic, against its definition."""

import pytest
import torch
import torch.nn.functional as F

from dyconv_pose.layers import Conv2dSame, DyConv2d

#: Kernel, stride, dilation, height and width; and the rows and columns added above, below, left and right.
CASES = [
    ((3, 2, 1, 8, 6), (0, 1, 0, 1)),
    ((3, 2, 1, 7, 6), (1, 1, 0, 1)),
    ((5, 2, 1, 8, 8), (1, 2, 1, 2)),
    ((3, 1, 2, 8, 8), (2, 2, 2, 2)),
    ((1, 2, 1, 8, 8), (0, 0, 0, 0)),
    ((2, 1, 1, 4, 4), (0, 1, 0, 1)),
]


@pytest.mark.parametrize(('case', 'pads'), CASES)
@pytest.mark.parametrize('groups', [1, 4])
def test_padding_is_tensorflows(case, pads, groups):
    k, stride, dilation, height, width = case
    top, bottom, left, right = pads
    static = Conv2dSame(4, 8, k, stride, dilation=dilation, groups=groups)
    x = torch.randn(2, 4, height, width)
    padded = F.pad(x, (left, right, top, bottom))
    expected = F.conv2d(padded, static.weight, static.bias, stride, 0, dilation, groups)
    assert expected.shape[2:] == (-(-height // stride), -(-width // stride))
    torch.testing.assert_close(static(x), expected)

    dynamic = DyConv2d(4, 8, k, stride, 'same', dilation, groups)
    dynamic.load_state_dict(static.state_dict(), strict=False)
    torch.testing.assert_close(dynamic(x), expected)


def test_attention_sees_the_image_and_not_the_padding():
    layer = DyConv2d(4, 8, 3, 2, 'same', temperature=1)
    with torch.no_grad():
        layer.attention.excite.weight.mul_(20)
    x = torch.randn(2, 4, 8, 6)
    attention = layer.attention(x)
    outputs = [F.conv2d(F.pad(x, (0, 1, 0, 1)), kernel, stride=2) for kernel in layer.weight]
    expected = sum(attention[:, k, None, None, None] * y for k, y in enumerate(outputs))
    torch.testing.assert_close(layer(x), expected)


def test_other_paddings_are_refused():
    with pytest.raises(ValueError, match="padding='same' alone, got 1"):
        Conv2dSame(4, 8, 3, padding=1)
