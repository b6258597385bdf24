"""MMPose's CocoMetric on pycocotools, on cases that can be computed by hand."""

import json

import numpy as np
import pytest

import dyconv_pose.registration  # noqa: F401  before any import of MMPose


@pytest.fixture
def people(tmp_path):
    """The file of three labelled persons in two images, and for each what the network would have said, if perfect."""
    rng = np.random.default_rng(0)
    annotations, samples = [], []
    for i, image_id in enumerate([7, 7, 9]):
        keypoints = np.full((17, 3), 2.0)
        keypoints[:, :2] = rng.uniform(20 + 200 * i, 180 + 200 * i, (17, 2)).round(1)
        # No num_keypoints, and ids that begin with 0, as in many a data set of one's own.
        box = [20 + 200 * i, 20 + 200 * i, 160, 160]
        annotation = dict(id=i, image_id=image_id, category_id=1, bbox=box, area=12000.5, iscrowd=0)
        annotations.append(dict(annotation, keypoints=keypoints.ravel().tolist()))
        predicted = dict(keypoints=keypoints[None, :, :2], keypoint_scores=np.full((1, 17), 0.9 - 0.1 * i))
        ground_truth = dict(bbox_scores=np.ones(1), bbox_scales=np.full((1, 2), 160.0))
        sample = dict(id=i, img_id=image_id, ori_shape=(640, 640), pred_instances=predicted, gt_instances=ground_truth)
        samples.append(dict(sample, raw_ann_info=annotations[-1]))
    images = [dict(id=image_id, width=640, height=640) for image_id in (7, 9)]
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])
    (tmp_path / 'people.json').write_text(json.dumps(content))
    return tmp_path / 'people.json', samples


def coco_figures(samples, ann_file, **kwargs):
    """What MMPose's CocoMetric says of these samples; without a file it makes one of the samples' ``raw_ann_info``."""
    from mmpose.evaluation.metrics import CocoMetric

    metric = CocoMetric(ann_file=ann_file and str(ann_file), **kwargs)
    classes = [dict(id=1, name='person')]
    sigmas = np.full(17, 0.05, dtype=np.float32)
    metric.dataset_meta = dict(dataset_name='people', num_keypoints=17, sigmas=sigmas, CLASSES=classes)
    metric.process({}, samples)
    return metric.evaluate(size=len(samples))


@pytest.mark.parametrize('from_file', [True, False])
@pytest.mark.parametrize('use_area', [True, False])
def test_coco_metric_of_perfect_and_of_wrong_predictions(people, from_file, use_area):
    ann_file, samples = people
    figures = coco_figures(samples, ann_file if from_file else None, use_area=use_area)
    assert figures['coco/AP'] == pytest.approx(1, abs=1e-12)
    assert figures['coco/AR (L)'] == 1
    assert figures['coco/AP (M)'] == -1

    samples[0]['pred_instances']['keypoints'] += 100
    figures = coco_figures(samples, ann_file if from_file else None, use_area=use_area)
    # The best-scored of three detections is wrong: precision 1/2, then 2/3, so 2/3 up to a recall of 2/3.
    assert figures['coco/AR'] == pytest.approx(2 / 3, abs=1e-12)
    assert figures['coco/AP'] == pytest.approx(67 / 101 * 2 / 3, abs=1e-12)


def test_coco_metric_where_nobody_was_found(people):
    ann_file, samples = people
    for sample in samples:
        sample['pred_instances'] = dict(keypoints=np.zeros((0, 17, 2)), keypoint_scores=np.zeros((0, 17)))
    figures = coco_figures(samples, ann_file)
    assert figures['coco/AP'] == figures['coco/AR'] == 0
