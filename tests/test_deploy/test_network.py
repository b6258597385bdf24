"""A batch goes through whole where memory is kept, in parts where it is not, with the same heatmaps."""

import numpy as np
import pytest
import torch
from torch import nn

from dyconv_pose.deploy import network
from dyconv_pose.deploy.network import PoseNetwork, TorchNetwork


class Backbone(nn.Module):
    """Counts the persons of each call."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, batch):
        self.sizes.append(len(batch))
        return batch


@pytest.mark.parametrize(
    ('is_kept', 'size_hw', 'sizes'),
    [
        (False, (256, 192), [2, 2, 1]),
        (False, (128, 192), [4, 1]),
        (False, (512, 384), [1] * 5),
        (True, (256, 192), [5]),
    ],
)
def test_parts(monkeypatch, is_kept, size_hw, sizes):
    monkeypatch.setattr(network, 'is_freed_memory_kept', lambda: is_kept)
    torch.manual_seed(0)
    model = nn.Module()
    model.backbone, model.head = Backbone(), nn.Conv2d(3, 2, 3)
    batch = np.random.default_rng(0).random((5, 3, *size_hw), dtype=np.float32)
    heatmaps = TorchNetwork(PoseNetwork(model))(batch)
    assert model.backbone.sizes == sizes
    np.testing.assert_allclose(heatmaps, model.head(torch.from_numpy(batch)).detach().numpy(), atol=1e-5)
