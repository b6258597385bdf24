"""Figures of the attention and the kernels of one layer.

Shape letters: N images, K kernels.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dyconv_pose.engine.attention import normalised_entropy
from dyconv_pose.layers import DynamicConv2d

#: A kernel is dead whose largest share in any image is below this part of an equal share, 1 / K.
DEAD_SHARE = 0.1


@dataclass(frozen=True)
class LayerSummary:
    """What the attention of a layer does over many images.

    Entropies are shares of the largest, log K: 1 is uniform attention, 0 is one kernel alone.

    Attributes:
        name: The layer's name.
        num_kernels: K.
        temperature: tau.
        output_size_hw: Height and width of its output, in cells.
        entropy: Mean over the images of the entropy of each one's attention.
        entropy_of_mean: Entropy of the mean attention: how evenly the kernels are used over all images.
        image_dependence: What the image tells of the attention: the second less the first (their mutual
            information). 0 where all images have the same attention.
        mean_pi: Each kernel's mean share.
        largest_pi: Each kernel's largest share in any image.
        dead_kernels: How many kernels no image uses (:data:`DEAD_SHARE`).
        kernel_similarity: Mean cosine similarity of two different kernels of the bank; 1 where all are equal up to
            a factor, ``None`` for K = 1.
    """

    name: str
    num_kernels: int
    temperature: float | None
    output_size_hw: tuple[int, int] | None
    entropy: float
    entropy_of_mean: float
    image_dependence: float
    mean_pi: tuple[float, ...]
    largest_pi: tuple[float, ...]
    dead_kernels: int
    kernel_similarity: float | None

    def as_dict(self) -> dict:
        """Plain data, floats rounded to six figures."""
        return {key: _rounded(value) for key, value in asdict(self).items()}


def kernel_similarity(bank: Tensor) -> Tensor:
    """Cosine similarities (K, K) of the kernels of a bank (K, ...)."""
    flat = F.normalize(bank.detach().float().flatten(1), dim=1)
    return flat @ flat.T


def summarise_layer(
    name: str, layer: DynamicConv2d, pi: Tensor, output_size_hw: tuple[int, int] | None = None
) -> LayerSummary:
    """Summarises one layer.

    Args:
        name: Its name.
        layer: The layer, for its kernels and temperature.
        pi: Its attention over images, (N, K).
        output_size_hw: Height and width of its output, in cells.
    """
    kernels = pi.shape[1]
    mean_pi, largest = pi.mean(dim=0), pi.amax(dim=0)
    each, of_mean = float(normalised_entropy(pi).mean()), float(normalised_entropy(mean_pi))
    similarity = kernel_similarity(layer.weight)
    off_diagonal = similarity[~torch.eye(kernels, dtype=torch.bool, device=similarity.device)]
    return LayerSummary(
        name=name,
        num_kernels=kernels,
        temperature=None if layer.temperature is None else float(layer.temperature),
        output_size_hw=output_size_hw,
        entropy=each,
        entropy_of_mean=of_mean,
        image_dependence=max(of_mean - each, 0.0),  # a mutual information; below 0 by rounding alone
        mean_pi=tuple(mean_pi.tolist()),
        largest_pi=tuple(largest.tolist()),
        dead_kernels=int((largest < DEAD_SHARE / kernels).sum()),
        kernel_similarity=float(off_diagonal.mean()) if kernels > 1 else None,
    )


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f'{value:.6g}')
    return [_rounded(part) for part in value] if isinstance(value, (list, tuple)) else value
