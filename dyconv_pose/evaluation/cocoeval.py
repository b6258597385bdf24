"""The official COCO evaluator with the two arguments that MMPose's CocoMetric passes to xtcocotools'."""

from collections.abc import Sequence

import numpy as np
from pycocotools import cocoeval
from pycocotools.coco import COCO

#: Area of a person in an area-less data set, as a share of its box: xtcocotools' constant.
AREA_PER_BOX_AREA = 0.53


class COCOeval(cocoeval.COCOeval):
    """Object keypoint similarity, AP and AR as pycocotools computes them.

    Args:
        cocoGt: The annotations.
        cocoDt: The detections, of ``cocoGt.loadRes``.
        iouType: ``'keypoints'``, ``'bbox'`` or ``'segm'``.
        sigmas: Per-keypoint falloff, shape (num_keypoints,). ``None`` means COCO's own 17.
        use_area: Whether a person's scale is the annotated ``area`` (pixels squared) or 0.53 times its box's.
    """

    def __init__(
        self,
        cocoGt: COCO | None = None,  # noqa: N803
        cocoDt: COCO | None = None,  # noqa: N803
        iouType: str = 'segm',  # noqa: N803
        sigmas: Sequence[float] | np.ndarray | None = None,
        use_area: bool = True,
    ) -> None:
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        self.use_area = use_area

    def _prepare(self) -> None:
        super()._prepare()
        if self.use_area:
            return
        for key, annotations in self._gts.items():
            self._gts[key] = [
                dict(gt, area=AREA_PER_BOX_AREA * gt['bbox'][2] * gt['bbox'][3]) for gt in annotations
            ]
