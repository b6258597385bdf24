"""MoveNet's feature pyramid and heatmap branch, of separable convolutions, as a neck and a head of MMPose.

A separable convolution is a depthwise 3x3 convolution and a 1x1 convolution after it. There is no normalisation.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from torch import Tensor, nn

from .dynamic import DynamicMixin


def _separable(in_channels: int, out_channels: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return [depthwise, nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True)]


class PlainSeparableFPN(BaseModule):
    """The static pyramid; see :class:`SeparableFPN`."""

    def __init__(
        self,
        in_channels: Sequence[int] = (24, 32, 64, 1280),
        channels: Sequence[int] = (24, 32, 64),
        out_channels: int = 24,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if len(channels) != len(in_channels) - 1:
            found = f'{len(channels)} for {len(in_channels)} levels'
            raise ValueError(f'channels must have one entry for each level but the coarsest, got {found}.')
        super().__init__(init_cfg)
        levels = [*channels, channels[-1]]
        self.laterals = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(in_channels, levels, strict=True))
        outputs = [out_channels, *channels[:-1]]
        self.fusions = nn.ModuleList(nn.Sequential(*_separable(a, b)) for a, b in zip(channels, outputs, strict=True))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor]:
        """Maps feature maps, finest first, each (B, C_i, H / 2^i, W / 2^i), to one (B, C_out, H, W), in a tuple."""
        *finer, coarsest = [lateral(x) for lateral, x in zip(self.laterals, features, strict=True)]
        for fusion, lateral in zip(reversed(self.fusions), reversed(finer), strict=True):
            above = F.interpolate(coarsest, size=lateral.shape[2:], mode='bilinear', align_corners=False)
            coarsest = fusion(above + lateral)
        return (coarsest,)


@MODELS.register_module()
class SeparableFPN(DynamicMixin, PlainSeparableFPN):
    """MoveNet's feature pyramid: from the coarsest level on, upsample, add the next level, convolve.

    Args:
        in_channels: Channels of the feature maps, finest first; each has half the height and width of the one before.
        channels: To how many channels each level but the coarsest is projected, by a 1x1 convolution; the coarsest is
            projected to the last of them.
        out_channels: Channels of the output, at the finest level's size.
        conv_cfg: The dynamic layer; ``None`` for none.

    Raises:
        ValueError: ``channels`` is not one shorter than ``in_channels``.
    """


class PlainSeparableHead(HeatmapHead):
    """The static head; see :class:`SeparableHead`."""

    def __init__(
        self, in_channels: int = 24, out_channels: int = 17, hidden_channels: int = 96, **kwargs: object
    ) -> None:
        layers = dict(conv_out_channels=(hidden_channels, out_channels), conv_kernel_sizes=(3, 1), final_layer=None)
        super().__init__(in_channels, out_channels, deconv_out_channels=None, **layers, **kwargs)
        self.final_layer = nn.Sigmoid()

    def _make_conv_layers(
        self, in_channels: int, layer_out_channels: Sequence[int], layer_kernel_sizes: Sequence[int]
    ) -> nn.Module:
        """Builds the branch in place of ``HeatmapHead``'s convolutions."""
        hidden_channels, out_channels = layer_out_channels
        return nn.Sequential(*_separable(in_channels, hidden_channels), nn.Conv2d(hidden_channels, out_channels, 1))

    @property
    def default_init_cfg(self) -> list[dict]:
        """None but PyTorch's: the small weights that MMPose draws for a last layer would put out nothing here."""
        return []


@MODELS.register_module()
class SeparableHead(DynamicMixin, PlainSeparableHead):
    """MoveNet's heatmap branch: a separable convolution, a 1x1 convolution and a sigmoid.

    It maps features (B, C_in, H, W) to heatmaps (B, ``out_channels``, H, W) between 0 and 1. Targets, loss and decoding
    are MMPose's ``HeatmapHead``'s.

    ``conv_cfg`` is the dynamic layer, or ``None``; the last convolution stays static. ``loss``, ``decoder`` and
    ``init_cfg`` are ``HeatmapHead``'s.
    """

    static_convs = ('conv_layers.3',)
