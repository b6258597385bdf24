"""Logs what the attention does while a network trains."""

import math
from functools import partial

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn

from dyconv_pose.layers import dynamic_layers


def normalised_entropy(pi: Tensor) -> Tensor:
    """Entropy of attention weights (..., K) as a share of log K, (...); 1 for K = 1, where there is no choice.

    Weights that do not sum to one, as sigmoids, are taken as shares of their sum.
    """
    kernels = pi.shape[-1]
    sums = pi.sum(dim=-1, keepdim=True)
    pi = torch.where((sums - 1).abs() < 1e-4, pi, pi / sums)
    if kernels == 1:
        return torch.ones(pi.shape[:-1], device=pi.device)
    return torch.special.entr(pi).sum(dim=-1) / math.log(kernels)


@HOOKS.register_module()
class AttentionLogHook(Hook):
    """Logs every layer's attention on the training batches, to whatever visualisation backends the run has.

    Scalars, for each dynamic layer: ``attention/entropy/<layer>``, the mean entropy of an image's attention as a share
    of log K, and ``attention/image_dependence/<layer>``, by how much the entropy of the batch's mean attention is
    larger (0 where all images have the same). Their means over the layers stand in the training log.

    Attach it by ``default_hooks = dict(attention=dict(type='AttentionLogHook', interval=50))``, in iterations.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1 iteration, got {interval}.')
        self.interval, self._handles, self._found = interval, [], {}

    def before_train(self, runner: Runner) -> None:
        """Raises a ValueError where there is nothing to log."""
        if all(layer.kernel_attention is None for _, layer in dynamic_layers(runner.model)):
            raise ValueError(
                'AttentionLogHook needs attention over kernels and this network has no dynamic layer with it: '
                "remove the hook, or set conv_cfg=dict(type='DyConv2d') in the backbone or head."
            )

    def before_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        """Looks into every dynamic layer, where this iteration is logged."""
        for name, layer in dynamic_layers(runner.model) if (runner.iter + 1) % self.interval == 0 else ():
            if layer.kernel_attention is not None:
                keep = partial(self._keep, name.removeprefix('module.'))  # within DDP
                self._handles.append(layer.kernel_attention.register_forward_hook(keep))

    def after_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        """Logs, and leaves the layers as they were."""
        if not self._handles:
            return
        scalars, totals = {}, {'entropy': [], 'image_dependence': []}
        for name, pi in self._found.items():
            each = float(normalised_entropy(pi).mean())
            values = {'entropy': each, 'image_dependence': float(normalised_entropy(pi.mean(dim=0))) - each}
            for figure, value in values.items():
                scalars[f'attention/{figure}/{name}'] = value
                totals[figure].append(value)
        for figure, values in totals.items():
            runner.message_hub.update_scalar(f'train/attention_{figure}', sum(values) / len(values))
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        for handle in self._handles:
            handle.remove()
        self._handles, self._found = [], {}

    def _keep(self, name: str, _module: nn.Module, _inputs: tuple, pi: Tensor) -> None:
        self._found[name] = pi.detach().float()
