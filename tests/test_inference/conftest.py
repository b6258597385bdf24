"""A network of plain NumPy that finds bright spots, and images with some."""

import cv2
import numpy as np
import pytest

from dyconv_pose.inference import HeatmapModel, KeypointSet, PoseEstimator, TopdownSpec
from dyconv_pose.inference.detectors import WholeImage

#: Two keypoints, one where the image is red and one where it is blue.
SPOTS = KeypointSet(
    names=('red', 'blue'),
    flip_indices=(0, 1),
    skeleton=((0, 1),),
    keypoint_colors=((255, 255, 0), (255, 255, 0)),
    limb_colors=((0, 255, 0),),
    sigmas=(0.05, 0.05),
)


def spots_network(batch):
    """Heatmaps (B, 2, 32, 24) of input (B, 3, 128, 96), red first: how red and how blue each place is."""
    red, green, blue = (cv2_blocks(batch[:, channel]) for channel in range(3))
    return np.stack([red - green - blue, blue - green - red], axis=1).clip(0, 1)


def cv2_blocks(channel):
    """Means (B, 32, 24) over blocks of 4 x 4 of (B, 128, 96)."""
    return channel.reshape(-1, 32, 4, 24, 4).mean(axis=(2, 4))


def spots_image(red, blue, size_wh=(240, 320)):
    """Black but for a red and a blue disc at the given (x, y); blue first."""
    image = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8)
    cv2.circle(image, red, 8, (0, 0, 255), -1)
    cv2.circle(image, blue, 8, (255, 0, 0), -1)
    return image


def enliven(model):
    """Gives a network of random weights heatmaps that depend on the input and have clear maxima, as training does."""
    import torch

    from dyconv_pose.deploy.network import PoseNetwork

    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        PoseNetwork(model)(torch.randn(8, 3, 128, 96))  # sets the statistics of the normalisation
    model.eval()
    for norm in norms:  # channels that hardly vary would otherwise enlarge the last bits a thousandfold
        norm.running_var.clamp_(min=float(norm.running_var.median()))
    for parameter in model.head.final_layer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)


@pytest.fixture(scope='session')
def lively():
    return enliven


@pytest.fixture
def spots():
    """An estimator of the spots, which takes the whole image."""
    spec = TopdownSpec((96, 128), (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), padding=1.0, flip_test=False)
    return PoseEstimator(HeatmapModel(spots_network, spec, SPOTS), WholeImage(), batch_size=4)


@pytest.fixture
def image_of():
    return spots_image
