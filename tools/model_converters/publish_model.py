"""Writes the weights of a training checkpoint to a small file for others."""

import argparse
import io
import re
from collections.abc import Sequence
from pathlib import Path

from dyconv_pose.cli import run
from dyconv_pose.files import write_atomically

#: What is kept of a checkpoint's "meta": which classes and keypoints it knows, its config and its origin.
_KEPT = ('cfg', 'dataset_meta', 'epoch', 'iter', 'seed', 'mmengine_version')


def publish(
    checkpoint: str | Path, out: str | Path, half: bool = False, trust: bool = False, average: Sequence[str | Path] = ()
) -> Path:
    """Writes the weights of a training checkpoint to a file that loads in weights-only mode.

    The averaged weights are taken where the checkpoint has some (MMEngine's EMAHook stores them in ``state_dict``).

    Args:
        checkpoint: A checkpoint of MMEngine's Runner.
        out: The file to write.
        half: Whether to store floating-point weights in float16, at half the size. Loading them into a network
            turns them back into float32, rounded to 11 bits. Tensors with values beyond float16's range stay as they
            are.
        trust: As in :func:`~dyconv_pose.apis.read_checkpoint`.
        average: Checkpoints of the same network or of its static or dynamic twin, with whose weights those of the first
            are averaged: a static kernel counts as K equal ones, K kernels as their mean where the first is static.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: It is no checkpoint, is not trusted, or one of another network is to be averaged with it.
    """
    import torch

    from dyconv_pose.apis import read_checkpoint

    content = read_checkpoint(checkpoint, trust)
    weights = _mean([content['state_dict'], *(read_checkpoint(other, trust)['state_dict'] for other in average)])
    weights = {name: _halved(value) if half else value for name, value in weights.items()}
    meta = {key: _plain(value) for key, value in content.get('meta', {}).items() if key in _KEPT}
    if isinstance(meta.get('cfg'), str):  # without where the files lay
        meta['cfg'] = re.sub(r'^(work_dir|load_from) = .*\n', '', meta['cfg'], flags=re.MULTILINE)
    written = io.BytesIO()
    torch.save({'state_dict': weights, 'meta': meta}, written)
    write_atomically(out, written.getvalue())
    return Path(out)


def _mean(states: list[dict]) -> dict:
    """Mean weights, for the first network: a static twin's kernel counts as K equal ones, K kernels as their mean."""
    first, *others = states
    static = [{name for name in state if '.attention.' not in name} for state in states]
    if not others:
        return first
    fits = all(names == static[0] for names in static) and all(
        weight.shape in (first[name].shape, first[name].shape[1:]) or weight.shape[1:] == first[name].shape
        for state in others
        for name, weight in state.items()
        if name in first
    )
    if not fits:
        raise ValueError(
            'Checkpoints that are averaged must be of one network, or of it and its static or dynamic twin: these have '
            'other weights or shapes.'
        )

    def mean(name: str, value: 'Tensor') -> 'Tensor':  # noqa: F821  of torch
        weights = [state[name].float() for state in states if name in state]
        weights = [weight.mean(0) if weight.shape[1:] == value.shape else weight.expand_as(value) for weight in weights]
        return sum(weights) / len(weights)

    return {name: mean(name, value) if value.is_floating_point() else value for name, value in first.items()}


def _halved(value: 'Tensor') -> 'Tensor':  # noqa: F821  of torch
    fits = value.is_floating_point() and not (value.half().isinf() & value.isfinite()).any()
    return value.half() if fits else value


def _plain(value: object) -> object:
    """Arrays as lists, so that nothing but plain values and tensors is pickled."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(_plain(item) for item in value)
    return value.tolist() if hasattr(value, 'tolist') else value


def main() -> None:
    """Reads the command line, writes and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out', help='the file to write')
    parser.add_argument(
        '--average',
        nargs='+',
        default=[],
        metavar='CHECKPOINT',
        help='average the weights with those, of the same network or its twin',
    )
    parser.add_argument('--half', action='store_true', help='store the weights in float16')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    args = parser.parse_args()
    out = publish(args.checkpoint, args.out, half=args.half, trust=args.trust_checkpoint, average=args.average)
    print(f'{out} ({out.stat().st_size / 1e6:.1f} MB)')


if __name__ == '__main__':
    run(main)
