"""The start of a dynamic network from the checkpoint of its static twin.

How one static kernel becomes K is the layers' part: ``DynamicConv2d.from_static`` in ``layers/base.py``, which every
loading of static weights calls.
"""

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from torch import nn

from dyconv_pose.layers import dynamic_layers


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
