"""Training with a second teacher beside the labels: the heatmaps of a trained network."""

import torch
from mmengine.structures import PixelData
from mmpose.models import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.utils.typing import OptSampleList
from torch import Tensor

from dyconv_pose.apis.estimator import load_model


@MODELS.register_module()
class TaughtPoseEstimator(TopdownPoseEstimator):
    """Learns from labels and from a teacher's heatmaps of the same crops (B, 3, H, W).

    A joint with a label has the mean of both as its target, by ``share``; one without has the teacher's heatmap alone.
    The teacher is no part of the state, so that the checkpoint is the plain network's.

    Args:
        teacher: ``config`` and ``checkpoint`` of a network of the same keypoints, input and heatmap sizes.
        share: Of the teacher's heatmap in the target of a joint with a label.
        **kwargs: Those of ``TopdownPoseEstimator``.
    """

    def __init__(self, teacher: dict, share: float = 0.5, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.share, self.source = share, teacher
        self._teacher = []  # a list, which state_dict() does not look into; loaded when it first teaches

    @torch.no_grad()
    def taught(self, inputs: Tensor) -> Tensor:
        """The teacher's heatmaps (B, K, h, w)."""
        if not self._teacher:
            self._teacher.append(load_model(self.source['config'], self.source['checkpoint']).network.module)
        return self._teacher[0].to(inputs.device)(inputs).float()

    def loss(self, inputs: Tensor, data_samples: OptSampleList) -> dict:
        """As ``TopdownPoseEstimator``'s, with targets that are mixed here."""
        for sample, heatmaps in zip(data_samples, self.taught(inputs), strict=True):
            labels = sample.gt_instance_labels
            share = torch.where(labels.keypoint_weights[0] > 0, self.share, 1.0)[:, None, None]
            sample.gt_fields = PixelData(heatmaps=torch.lerp(sample.gt_fields.heatmaps, heatmaps, share))
            labels.keypoint_weights = torch.ones_like(labels.keypoint_weights)
        return super().loss(inputs, data_samples)
