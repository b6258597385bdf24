"""The one way in which a network of MMPose becomes dynamic: build it static, then convert its convolutions.

MMPose's own construction, ``forward`` and checkpoint keys stay as they are; nothing of a network is copied.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mmcv.cnn import build_conv_layer
from mmengine.model import initialize
from mmengine.registry import MODELS as ROOT_MODELS
from mmpose.registry import MODELS
from torch import nn

from dyconv_pose.layers import DyConv2d, convert_convs, dynamic_layers
from dyconv_pose.layers.convert import KINDS

# In the root registry a layer is found from any scope: conv_cfg=dict(type='DyConv2d').
ROOT_MODELS.register_module(module=DyConv2d)


def make_dynamic(
    network: nn.Module,
    conv_cfg: dict,
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
) -> nn.Module:
    """Makes the convolutions of a built network dynamic, in place.

    Every kernel of a new layer is drawn by the initialisers of the ``init_cfg`` of the network and of the modules in it
    that hold the layer, as its static convolution would be; where there are none, by :meth:`DyConv2d.init_weights`.
    Networks with an ``init_weights`` of their own that looks for ``nn.Conv2d``, such as ShuffleNet's, do not find the
    new layers, and an ``override`` in an ``init_cfg`` is not followed: start those from a static checkpoint.

    Args:
        network: A backbone, head or whole estimator.
        conv_cfg: The layer and its own arguments, such as ``dict(type='DyConv2d', num_kernels=4)``.
        include: Shell-style patterns over layer names; a convolution is converted where one matches.
        exclude: Patterns that win over ``include``.
        kinds: Kinds of convolutions that may be converted: ``'pointwise'`` (1x1), ``'depthwise'`` (one channel per
            group) and ``'dense'`` (all others).

    Returns:
        The network.

    Raises:
        ValueError: The rule matches no convolution, a kind is unknown, or an argument of the layer is out of its range.
        KeyError: ``conv_cfg['type']`` is not registered.
    """

    def build(conv: nn.Conv2d) -> nn.Module:
        return build_conv_layer(
            conv_cfg,
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            bias=conv.bias is not None,
            padding_mode=conv.padding_mode,
        )

    convert_convs(network, build, include, exclude, kinds)
    _initialize_kernels(network)
    return network


def _initialize_kernels(network: nn.Module) -> None:
    """Applies the initialisers of the network's ``init_cfg``, and of its parts', to each kernel of each dynamic layer.

    MMEngine's initialisers know convolutions by class name and read fans off ``weight``; a kernel bank is neither.
    So each kernel is shown to them as the ``nn.Conv2d`` that it would be. The inner part comes last, as in MMEngine.
    """
    for part in network.modules():
        init_cfg = getattr(part, 'init_cfg', None) or []
        for cfg in [init_cfg] if isinstance(init_cfg, dict) else init_cfg:
            if 'Conv2d' in cfg.get('layer', ()):
                for _, layer in dynamic_layers(part):
                    _initialize_layer(layer, {key: value for key, value in cfg.items() if key != 'override'})


def _initialize_layer(layer: DyConv2d, cfg: dict) -> None:
    for index, kernel in enumerate(layer.weight):
        conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups, bias=False)
        conv.weight.data = kernel.data
        if layer.bias is not None:
            conv.bias = nn.Parameter(layer.bias.data[index])
        initialize(conv, cfg)
    layer.is_init = True  # where MMEngine meets the layer, it is to leave it so


@MODELS.register_module()
def dynamic(
    network: dict,
    conv_cfg: dict,
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    kinds: Sequence[str] = KINDS,
) -> nn.Module:
    """Builds any registered network and makes it dynamic: ``backbone=dict(type='dynamic', network=dict(...), ...)``.

    Where the network's ``init_cfg`` names a static checkpoint, it starts by computing what the static network does.

    Args:
        network: The config of the static network.
        conv_cfg: As in :func:`make_dynamic`.
        include: As in :func:`make_dynamic`.
        exclude: As in :func:`make_dynamic`.
        kinds: As in :func:`make_dynamic`.

    Returns:
        The network itself, without a wrapper: its checkpoint keys do not change.

    Raises:
        ValueError: As in :func:`make_dynamic`.
    """
    return make_dynamic(MODELS.build(network), conv_cfg, include, exclude, kinds)


class DynamicMixin:
    """Gives a network of MMPose the argument ``conv_cfg`` that makes its convolutions dynamic.

    ``conv_cfg=None`` is the static network itself. ``dynamic_convs``, patterns over layer names, narrows the class's
    rule to the convolutions that they match. All arguments are given by name.
    """

    #: Patterns over the names of the convolutions that stay static.
    static_convs: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        conv_cfg: dict | None = None,
        dynamic_convs: Sequence[str] = ('*',),
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if conv_cfg is not None:
            names = [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]
            static = [pattern for pattern in self.static_convs if any(fnmatchcase(name, pattern) for name in names)]
            make_dynamic(self, conv_cfg, include=dynamic_convs, exclude=static)
