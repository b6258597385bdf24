"""timm's CondConv2d as a layer of one argument, to be timed beside ours."""

import importlib.util
import sys
import types
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn


@cache
def _condconv_class() -> type[nn.Module]:
    """The class from the one file that holds it: timm as a whole imports torchvision, which this project does without.

    Raises:
        ModuleNotFoundError: timm is not installed.
    """
    spec = importlib.util.find_spec('timm')
    if spec is None:
        raise ModuleNotFoundError(
            "CondConv2d is timm's: pip install --no-deps -r requirements/benchmarks.txt, or leave it out of --forms."
        )
    root = Path(spec.submodule_search_locations[0])
    for name, folder in (('timm', root), ('timm.layers', root / 'layers')):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules.setdefault(name, package)
    from timm.layers.cond_conv2d import CondConv2d

    return CondConv2d


class TimmCondConv2d(nn.Module):
    """CondConv: K = 4 kernels mixed with sigmoid routing weights of one linear layer, convolved in the grouped form.

    Args:
        Those of :class:`torch.nn.Conv2d`, to ``groups``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
    ) -> None:
        super().__init__()
        self.conv = _condconv_class()(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, num_experts=4
        )
        # Its forward takes tuples alone, and its constructor doesn't make them.
        self.conv.padding = padding
        self.routing = nn.Linear(in_channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W) to (B, C_out, H_out, W_out)."""
        return self.conv(x, torch.sigmoid(self.routing(x.mean((2, 3)))))
