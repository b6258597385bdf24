"""A checkpoint as it is given to others: weights and what is needed to use them, nothing else."""

from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import read_checkpoint

#: What is kept of a checkpoint's "meta": which classes and keypoints it knows, its config and its origin.
_KEPT = ('cfg', 'dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')


def publish(checkpoint: str | Path, out: str | Path, half: bool = False, trust: bool = False) -> Path:
    """Writes the weights of a training checkpoint to a file that loads in weights-only mode.

    The averaged weights are taken where the checkpoint has some (MMEngine's EMAHook stores them in ``state_dict``).

    Args:
        checkpoint: A checkpoint of MMEngine's Runner.
        out: The file to write.
        half: Whether to store floating-point weights in float16, at half the size. Loading them into a network
            turns them back into float32, rounded to 11 bits. Tensors with values beyond float16's range stay as they
            are.
        trust: As in :func:`~dyconv_pose.apis.read_checkpoint`.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: It is no checkpoint, or is not trusted.
    """
    content = read_checkpoint(checkpoint, trust)
    weights = {name: _halved(value) if half else value for name, value in content['state_dict'].items()}
    meta = {key: _plain(value) for key, value in content.get('meta', {}).items() if key in _KEPT}
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': weights, 'meta': meta}, out)
    return out


def _halved(value: Tensor) -> Tensor:
    fits = value.is_floating_point() and not (value.half().isinf() & value.isfinite()).any()
    return value.half() if fits else value


def _plain(value: object) -> object:
    """Arrays as lists, so that nothing but plain values and tensors is pickled."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(_plain(item) for item in value)
    return value.tolist() if hasattr(value, 'tolist') else value
