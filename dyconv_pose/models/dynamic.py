"""Dynamic layers in MMPose's networks: built static, then converted, so that nothing of a network is copied.

MMPose's own construction, ``forward`` and checkpoint keys stay as they are.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from inspect import signature
from typing import ClassVar

from mmengine.registry import MODELS as ROOT_MODELS
from mmpose.registry import MODELS
from torch import nn

from dyconv_pose.layers import (
    CondConv2d,
    Conv2dSame,
    DCDConv2d,
    DyConv2d,
    KernelWarehouse2d,
    ODConv2d,
    make_dynamic,
)
from dyconv_pose.layers.convert import KINDS

# In the root registry a layer is found from any scope: conv_cfg=dict(type='DyConv2d').
for _layer in (CondConv2d, Conv2dSame, DCDConv2d, DyConv2d, KernelWarehouse2d, ODConv2d):
    ROOT_MODELS.register_module(module=_layer)


@MODELS.register_module()
def dynamic(
    network: dict,
    conv_cfg: dict,
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
    init_cfg: dict | list[dict] | None = None,
) -> nn.Module:
    """Builds any registered network and makes it dynamic: ``backbone=dict(type='dynamic', network=dict(...), ...)``.

    Where the network's ``init_cfg`` names a static checkpoint, it starts by computing what the static network does.
    Networks with an ``init_weights`` of their own that looks for ``nn.Conv2d``, such as ShuffleNet's and FPN's, do not
    find the new layers: start those from a static checkpoint.

    Args:
        network: The config of the static network, whose checkpoint keys do not change.
        conv_cfg: The layer and its own arguments, such as ``dict(type='DyConv2d', num_kernels=4)``.
        include: As in :func:`~dyconv_pose.layers.make_dynamic`; by default all convolutions, the first too.
        exclude: As there.
        kinds: As there.
        init_cfg: Takes the place of the network's own.

    Raises:
        ValueError: As in :func:`~dyconv_pose.layers.make_dynamic`.
    """
    built = MODELS.build(network if init_cfg is None else {**network, 'init_cfg': init_cfg})
    make_dynamic(built, conv_cfg, include=include, exclude=exclude, kinds=kinds)
    return built


class DynamicMixin:
    """Gives a network of MMPose the arguments ``conv_cfg`` and ``dynamic_convs``, both by name.

    ``conv_cfg`` is the layer that takes the place of its convolutions, and ``None`` the static network itself.
    ``dynamic_convs``, patterns over layer names, narrows the class's rule to the convolutions that they match.
    """

    #: The layer where none is named.
    default_conv_cfg: ClassVar[dict | None] = None

    #: Patterns over the names of the convolutions that stay static.
    static_convs: tuple[str, ...] = ()

    def __init__(self, *args: object, dynamic_convs: Sequence[str] = ('*',), **kwargs: object) -> None:
        given = list(signature(super().__init__).parameters)[: len(args)]  # names of the arguments by position
        if 'conv_cfg' in given:
            place = given.index('conv_cfg')
            conv_cfg, args = args[place], (*args[:place], None, *args[place + 1 :])
        else:
            conv_cfg = kwargs.pop('conv_cfg', self.default_conv_cfg)
        super().__init__(*args, **kwargs)
        if conv_cfg is not None:
            names = [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]
            static = [pattern for pattern in self.static_convs if any(fnmatchcase(name, pattern) for name in names)]
            make_dynamic(self, conv_cfg, include=dynamic_convs, exclude=static)
