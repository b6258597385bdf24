"""Dynamic layers in MMPose's networks: built static, then converted, so that nothing of a network is copied.

They start from static checkpoints, and ``paramwise_cfg`` holds for them as for static ones.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from inspect import signature
from typing import ClassVar

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from mmpose.engine.optim_wrappers import ForceDefaultOptimWrapperConstructor
from mmpose.registry import MODELS
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS as POSE_CONSTRUCTORS
from torch import nn

from dyconv_pose import layers
from dyconv_pose.layers import DynamicConv2d, dynamic_layers, make_dynamic
from dyconv_pose.layers.convert import KINDS

# In the root registry a layer is found from any scope: conv_cfg=dict(type='DyConv2d').
for _name in ('CondConv2d', 'Conv2dSame', 'DCDConv2d', 'DyConv2d', 'KernelWarehouse2d', 'ODConv2d'):
    ROOT_MODELS.register_module(module=getattr(layers, _name))


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
    An ``init_weights`` that looks for ``nn.Conv2d``, such as ShuffleNet's and FPN's, does not find the new layers.

    Args:
        network: The config of the static network, whose checkpoint keys do not change.
        conv_cfg: The layer and its own arguments, such as ``dict(type='DyConv2d', num_kernels=4)``.
        include: As in :func:`~dyconv_pose.layers.make_dynamic`; by default all convolutions, the first too.
        exclude: As there.
        kinds: As there.
        init_cfg: Takes the place of the network's own.
    """
    built = MODELS.build(network if init_cfg is None else {**network, 'init_cfg': init_cfg})
    make_dynamic(built, conv_cfg, include=include, exclude=exclude, kinds=kinds)
    return built


class DynamicMixin:
    """Gives a network of MMPose the arguments ``conv_cfg``, ``dynamic_convs`` and ``dynamic_kinds``, all by name.

    ``conv_cfg`` is the layer that takes the place of its convolutions, ``None`` the static network itself;
    ``dynamic_convs``, patterns over layer names, and ``dynamic_kinds``, as in ``make_dynamic``, narrow the rule.
    """

    default_conv_cfg: ClassVar[dict | None] = None
    static_convs: tuple[str, ...] = ()  # patterns over the names of those that stay static

    def __init__(
        self,
        *args: object,
        dynamic_convs: Sequence[str] = ('*',),
        dynamic_kinds: Sequence[str] = KINDS,
        **kwargs: object,
    ) -> None:
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
            make_dynamic(self, conv_cfg, include=dynamic_convs, exclude=static, kinds=dynamic_kinds)


@WEIGHT_INITIALIZERS.register_module()
class WarmStart:
    """Initialises a dynamic network by its trained static twin: ``init_cfg=dict(type='WarmStart', checkpoint=...)``.

    Without noise the network computes what the static one does, as with ``type='Pretrained'``; noise parts the K equal
    kernels from the start. Other entries of an ``init_cfg`` list would overwrite what is loaded.

    Args:
        checkpoint: File or address of the static network's checkpoint.
        prefix: What comes before the names of the network's weights there, such as ``'backbone.'``.
        noise: Standard deviation of the noise as a share of that of each static kernel.
    """

    def __init__(self, checkpoint: str, prefix: str = '', noise: float = 0.01) -> None:
        self.checkpoint, self.prefix, self.noise = checkpoint, prefix, noise

    def __call__(self, network: nn.Module) -> None:
        """Loads the weights; raises a ValueError where they are not those of the network's static twin."""
        content = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu')
        static = content.get('state_dict', content)
        static = {name.removeprefix(self.prefix): w for name, w in static.items() if name.startswith(self.prefix)}
        shapes = {name: weight.shape for name, weight in network.state_dict().items()}  # of the static twin
        for name, layer in dynamic_layers(network):
            shapes = {key: shape for key, shape in shapes.items() if not key.startswith(f'{name}.')}
            shapes[f'{name}.weight'] = layer.kernel_shape
            shapes |= {} if layer.bias is None else {f'{name}.bias': layer.bias.shape[1:]}
        unfit = [name for name, shape in shapes.items() if name not in static or static[name].shape != shape]
        if unfit:
            raise ValueError(
                f'A warm start needs the checkpoint of the static twin, and "{self.checkpoint}" with the prefix '
                f'"{self.prefix}" has no fitting weight for {len(unfit)} of {len(shapes)}, such as {unfit[0]}.'
            )
        network.load_state_dict(static, strict=False)
        for _, layer in dynamic_layers(network):
            layer.add_noise(self.noise)
        for module in network.modules():
            module.is_init = True  # what MMEngine would initialise after this
        if hasattr(network, '_params_init_info'):
            update_init_info(network, init_info=f'{type(self).__name__}: {self.checkpoint}, noise {self.noise}')
        print_log(f'Warm start from {self.checkpoint}, noise {self.noise}', logger='current')


class _SeesDynamicLayers:
    """Lets ``dwconv_decay_mult`` and ``flat_decay_mult`` do to a dynamic layer what they do to a static one.

    MMEngine looks for ``nn.Conv2d`` and for parameters of one dimension.
    """

    def add_params(self, params: list[dict], module: nn.Module, *args: object, **kwargs: object) -> None:
        """Adds a group for each parameter of a module."""
        if not isinstance(module, DynamicConv2d):
            super().add_params(params, module, *args, **kwargs)
            return
        static, first = nn.Conv2d.__new__(nn.Conv2d), len(params)
        static.__dict__ = module.__dict__  # the same parameters and geometry
        super().add_params(params, static, *args, **kwargs)
        flat = self.paramwise_cfg.get('flat_decay_mult')
        for group in params[first:]:
            if group['params'][0] is module.bias and flat is not None and self.base_wd is not None:
                group.setdefault('weight_decay', self.base_wd * flat)  # where no other rule has set it


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(name=DefaultOptimWrapperConstructor.__name__, force=True)
class DynamicOptimWrapperConstructor(_SeesDynamicLayers, DefaultOptimWrapperConstructor):
    """MMEngine's default constructor, in whose place it is registered."""


@POSE_CONSTRUCTORS.register_module(name=ForceDefaultOptimWrapperConstructor.__name__, force=True)
class DynamicForceOptimWrapperConstructor(_SeesDynamicLayers, ForceDefaultOptimWrapperConstructor):
    """MMPose's constructor that keeps the default settings beside custom ones, likewise."""
