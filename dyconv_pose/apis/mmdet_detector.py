"""A detector of MMDetection, where that is installed."""

from importlib.util import find_spec

import numpy as np

from dyconv_pose.inference import Boxes, Image

from .checkpoint import weights_only


class MMDetDetector:
    """A detector of ``mmdet.apis.init_detector`` whose class 0 is a person; those that score less are dropped."""

    can_miss = True

    def __init__(self, model: object, threshold: float = 0.4) -> None:
        self.model, self.threshold = model, threshold

    @classmethod
    def load(cls, name: str, device: str = 'cpu', threshold: float = 0.4, trust: bool = False) -> 'MMDetDetector':
        """Loads ``mmdet:CONFIG:CHECKPOINT``.

        Raises:
            ImportError: MMDetection is not installed.
            ValueError: The name has another form, or the checkpoint would have to be trusted.
        """
        parts = name.split(':', 2)
        if len(parts) != 3 or not all(parts):
            raise ValueError(f'A detector of MMDetection must be given as mmdet:CONFIG:CHECKPOINT, got "{name}".')
        if find_spec('mmdet') is None:
            raise ImportError(
                'Detection by mmdet: needs MMDetection, which is not installed: pip install mmdet (with an MMCV that '
                'has compiled operators), or take the boxes from elsewhere (--boxes).'
            )
        from mmdet.apis import init_detector

        with weights_only(trust):
            return cls(init_detector(parts[1], parts[2], device=device), threshold)

    def find(self, image: Image) -> Boxes:
        """The persons' boxes."""
        from mmdet.apis import inference_detector

        found = inference_detector(self.model, image.pixels).pred_instances.cpu().numpy()
        kept = (found.labels == 0) & (found.scores >= self.threshold)
        return Boxes.of(np.concatenate([found.bboxes, found.scores[:, None]], axis=1)[kept])
