"""Channels_last: taken by plain convolutions, left alone by those that would break, and no other result."""

from types import SimpleNamespace

import pytest
import torch
from mmcv.cnn import build_conv_layer
from torch import nn

from dyconv_pose.engine import ChannelsLastHook
from dyconv_pose.layers import DyConv2d


def is_channels_last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


@pytest.mark.parametrize('second', [None, dict(type='DyConv2d'), dict(type='ConvWS'), dict(type='ConvAWS')])
def test_the_result_is_the_same(second):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), build_conv_layer(second, 8, 8, 3), nn.ReLU(), nn.ConvTranspose2d(8, 4, 4)
    )
    network.double()
    x = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    expected = network(x)
    ChannelsLastHook().before_run(SimpleNamespace(model=network))
    assert is_channels_last(network[0].weight) and is_channels_last(network[3].weight)
    found = network(x)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    assert is_channels_last(found)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    if isinstance(network[1], DyConv2d):
        assert network[1].weight.is_contiguous()
