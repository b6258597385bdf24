"""What layers have to do with OpenMMLab: their names in its registry, and the initialisers of its networks.

MMEngine is imported where a name or a network of its kind is met, and so is there.
"""

from collections.abc import Mapping

from torch import nn

from .base import DynamicConv2d, dynamic_layers


def resolve_layer(layer: str | Mapping, arguments: dict) -> tuple[type, dict]:
    """The class that a registered name or a ``conv_cfg`` stands for, and its arguments.

    Raises:
        KeyError: The name is not registered.
    """
    from mmengine.registry import MODELS

    config = {'type': layer} if isinstance(layer, str) else dict(layer)
    name = config.pop('type')
    with MODELS.switch_scope_and_registry(None) as registry:
        found = registry.get(name) if isinstance(name, str) else name
    if found is None:
        raise KeyError(f'The layer must be registered in MMEngine, got "{name}": import dyconv_pose.registration.')
    return found, {**config, **arguments}


def initialize_kernels(network: nn.Module) -> None:
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


def _initialize_layer(layer: DynamicConv2d, cfg: dict) -> None:
    from mmengine.model import initialize

    for index, kernel in enumerate(layer.weight):
        conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups, bias=False)
        conv.weight.data = kernel.data
        if layer.bias is not None:
            conv.bias = nn.Parameter(layer.bias.data[index])
        initialize(conv, cfg)
    layer.is_init = True  # where MMEngine meets the layer, it is to leave it so
