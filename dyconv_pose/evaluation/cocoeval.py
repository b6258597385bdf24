"""pycocotools, the official COCO evaluator, as MMPose expects of its fork xtcocotools: same arguments, same figures.

For ``'keypoints'`` both differ from pycocotools in this:

- The falloff of each keypoint (``sigmas``) is an argument. Its precision is kept: MMPose passes float32.
- ``use_area=False`` takes 0.53 times the box's area for a person's, as for a person without area or detections.
- A person is ignored if none of its ``keypoints`` is labelled, whatever ``num_keypoints`` says.
- A detection none of whose keypoints has a positive score is left out.
- A person's id may be 0, which pycocotools takes for "not matched".
- ``iscrowd`` may be missing, there may be no detections at all, and ids of images may be strings.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pycocotools import coco, cocoeval

from dyconv_pose.files import read_json

#: Area of a person in an area-less data set, as a share of its box: xtcocotools' constant.
AREA_PER_BOX_AREA = 0.53


class COCO(coco.COCO):
    """Annotations, or detections on them, in COCO's format."""

    def __init__(self, annotation_file: str | None = None) -> None:
        super().__init__()
        if annotation_file is not None:
            self.dataset = read_json(annotation_file, 'annotations')
            self.createIndex()

    def createIndex(self) -> None:  # noqa: N802
        """Makes annotations and images findable by their ids."""
        for annotation in self.dataset.get('annotations', []):
            annotation.setdefault('iscrowd', False)
        super().createIndex()

    def getAnnIds(self, imgIds: object = (), *args, **kwargs) -> list:  # noqa: N802, N803
        """Ids of the annotations of these images (one id, or several)."""
        return super().getAnnIds([imgIds] if isinstance(imgIds, str) else imgIds, *args, **kwargs)

    def loadImgs(self, ids: object = ()) -> list[dict]:  # noqa: N802
        """The images of these ids (one id, or several)."""
        return super().loadImgs([ids] if isinstance(ids, str) else ids)

    def loadRes(self, resFile: str | list[dict] | np.ndarray) -> coco.COCO:  # noqa: N802, N803
        """Detections on these annotations, of a JSON file or its contents."""
        detections = read_json(resFile, 'detections') if isinstance(resFile, str) else resFile
        if len(detections) > 0:
            return super().loadRes(detections)
        results = COCO()
        results.dataset = {name: self.dataset[name] for name in ('images', 'categories')} | {'annotations': []}
        results.createIndex()
        return results


class COCOeval(cocoeval.COCOeval):
    """Object keypoint similarity, AP and AR; for ``'bbox'`` and ``'segm'`` pycocotools' own evaluation.

    ``sigmas`` (K,) are the falloff of each keypoint, by default COCO's 17. A person's scale is its ``area`` in pixels
    squared or, without ``use_area``, 0.53 times its box's. A ValueError is raised for another ``iouType``.
    """

    def __init__(
        self,
        cocoGt: coco.COCO | None = None,  # noqa: N803
        cocoDt: coco.COCO | None = None,  # noqa: N803
        iouType: str = 'keypoints',  # noqa: N803
        sigmas: Sequence[float] | np.ndarray | None = None,
        use_area: bool = True,
    ) -> None:
        if iouType not in ('keypoints', 'bbox', 'segm'):
            raise ValueError(f"iouType must be 'keypoints', 'bbox' or 'segm', not {iouType!r}: install xtcocotools.")
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self.use_area = use_area

    def _prepare(self) -> None:
        if self.params.iouType != 'keypoints':
            super()._prepare()
            return
        self._gts, self._dts = defaultdict(list), defaultdict(list)
        self.evalImgs, self.eval = defaultdict(list), {}
        chosen = dict(imgIds=self.params.imgIds, catIds=self.params.catIds if self.params.useCats else [])
        persons, detections = (one.loadAnns(one.getAnnIds(**chosen)) for one in (self.cocoGt, self.cocoDt))
        for detection in detections:
            if _num_positive(detection) > 0:
                self._dts[detection['image_id'], detection['category_id']].append(detection)
        for person in persons:
            key = person['image_id'], person['category_id']
            self._gts[key].append(self._prepared(person, is_detected=len(self._dts[key]) > 0))

    def _prepared(self, person: dict, is_detected: bool) -> dict:
        """A copy of a person's annotation with all that pycocotools reads in it."""
        if 'area' in person and self.use_area:
            area = person['area']
        elif self.use_area and is_detected:
            raise ValueError(f'Annotation {person["id"]} has no "area": evaluate with use_area=False.')
        else:
            area = person['bbox'][2] * person['bbox'][3] * AREA_PER_BOX_AREA
        crowd = person.get('iscrowd', False)
        # pycocotools keeps the id of a match in an array in which 0 stands for no match, and asks nothing else of ids.
        person_id = person['id'] or -1
        return dict(person, id=person_id, area=area, iscrowd=crowd, ignore=_num_positive(person) == 0 or crowd)


def _num_positive(annotation: dict) -> int:
    """How many of a person's keypoints are labelled (v > 0), or how many of a detection's have a positive score."""
    return np.count_nonzero(np.array(annotation['keypoints'])[2::3] > 0)
