"""The start of a dynamic network from a static checkpoint, with kernels that differ, as an ``init_cfg`` of a config."""

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from torch import nn

from dyconv_pose.layers.convert import warm_start_state


@WEIGHT_INITIALIZERS.register_module()
class WarmStart:
    """Initialises a dynamic network by its trained static twin: ``init_cfg=dict(type='WarmStart', checkpoint=...)``.

    Without noise the network computes exactly what the static one does, as with ``type='Pretrained'``. K equal kernels
    part slowly, though, while noise parts them from the start, and leaves their mean the static kernel. Other entries
    of an ``init_cfg`` list would overwrite what is loaded: it is to stand alone.

    Args:
        checkpoint: File or address of the static network's checkpoint.
        prefix: What comes before the names of the network's weights there, such as ``'backbone.'``.
        noise: Standard deviation of the noise as a share of that of each static kernel.

    Raises:
        ValueError: The noise is negative.
    """

    def __init__(self, checkpoint: str, prefix: str = '', noise: float = 0.01) -> None:
        if not noise >= 0:
            raise ValueError(f'noise must not be negative, got {noise}: 0.01 is a hundredth of a kernel.')
        self.checkpoint, self.prefix, self.noise = checkpoint, prefix, noise

    def __call__(self, network: nn.Module) -> None:
        """Loads the weights; raises a ValueError where they are not those of the network's static twin."""
        content = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu')
        static = content.get('state_dict', content)
        static = {name.removeprefix(self.prefix): w for name, w in static.items() if name.startswith(self.prefix)}
        state, own = warm_start_state(static, network, self.noise), network.state_dict()
        unfit = [name for name, w in own.items() if name not in state or state[name].shape != w.shape]
        if unfit:
            raise ValueError(
                f'A warm start needs the checkpoint of the static twin, and "{self.checkpoint}" with the prefix '
                f'"{self.prefix}" has no fitting weight for {len(unfit)} of {len(own)}, such as {unfit[0]}.'
            )
        network.load_state_dict({name: state[name] for name in own})
        for module in network.modules():
            module.is_init = True  # what MMEngine would initialise after this
        if hasattr(network, '_params_init_info'):
            update_init_info(network, init_info=f'{type(self).__name__}: {self.checkpoint}, noise {self.noise}')
        print_log(f'Warm start from {self.checkpoint}, noise {self.noise}', logger='current')
