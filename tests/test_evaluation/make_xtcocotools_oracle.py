"""Synthetic detections, and what the real xtcocotools says of them.

The figures in ``xtcocotools_oracle.json`` were written by this program, in an environment of its own. (xtcocotools'
wheels need NumPy 1; built from source it runs, with equal figures, on NumPy 2 as well.)::

    pip install 'numpy<2' 'setuptools<81' wheel cython matplotlib
    pip install --no-binary xtcocotools --no-build-isolation xtcocotools
    python tests/test_evaluation/make_xtcocotools_oracle.py

Random numbers are drawn as uniform floats and rounded, so that every NumPy generates the same detections; a digest of
them is kept with the figures.
"""

import contextlib
import hashlib
import io
import json
import math
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

ORACLE = Path(__file__).with_name('xtcocotools_oracle.json')
FIGURES = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')
COCO_SIGMAS = [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062]
COCO_SIGMAS += [0.107, 0.107, 0.087, 0.087, 0.089, 0.089]


def crowded_street(seed: int, num_images: int = 10, num_keypoints: int = 17) -> tuple[dict, list[dict]]:
    """Persons of all sizes, and detections of them: more or less wrong, missing, double, and where nobody is."""
    rng = np.random.default_rng(seed)
    persons, detections = [], []
    for image_id in range(1, num_images + 1):
        for _ in range(int(rng.random() * 7)):
            x, y, w = 400 * rng.random(), 300 * rng.random(), 15 + 130 * rng.random()
            h = w * (1 + rng.random())
            keypoints = rng.random((num_keypoints, 3)) * [w, h, 1] + [x, y, 0]
            keypoints[:, 2] = np.floor(2.99 * keypoints[:, 2] ** 0.5)
            keypoints[keypoints[:, 2] == 0] = 0
            area = w * h * (0.3 + 0.4 * rng.random())
            persons.append(person(len(persons) + 1, image_id, keypoints, area, box=[x, y, w, h]))
            for _ in range(int(rng.random() ** 2 * 3.5) + (rng.random() < 0.7)):
                error = w * 0.15 * rng.random() ** 2
                found = keypoints + error * (rng.random((num_keypoints, 3)) - 0.5) * 2
                found[:, 2] = rng.random(num_keypoints)
                detections.append(detection(image_id, found, score=math.exp(-error) * rng.random()))
        for _ in range(int(rng.random() * 3)):
            nobody = rng.random((num_keypoints, 3)) * [100, 100, 1] + [400 * rng.random(), 300 * rng.random(), 0]
            detections.append(detection(image_id, nobody, score=0.6 * rng.random()))
    images = [dict(id=image_id, width=640, height=480) for image_id in range(1, num_images + 1)]
    return dict(images=images, annotations=persons, categories=[dict(id=1, name='person')]), detections


def person(person_id: int, image_id: int, keypoints: np.ndarray, area: float, box: list[float]) -> dict:
    return dict(
        id=person_id,
        image_id=image_id,
        category_id=1,
        iscrowd=0,
        keypoints=keypoints.ravel().round(2).tolist(),
        num_keypoints=int(np.count_nonzero(keypoints[:, 2])),
        area=round(area, 6),
        bbox=[round(number, 2) for number in box],
    )


def detection(image_id: int, keypoints: np.ndarray, score: float) -> dict:
    return dict(image_id=image_id, category_id=1, keypoints=keypoints.ravel().round(2).tolist(), score=round(score, 2))


def between_two_precisions() -> tuple[dict, list[dict]]:
    """One labelled keypoint each, whose similarity is over 0.75 in one precision of its sigma, under it in another."""
    persons, detections = [], []
    single_precision = (np.array(COCO_SIGMAS, dtype=np.float32) * 2) ** 2
    for k, sigma in enumerate(COCO_SIGMAS):
        variance = (float(single_precision[k]) + (2 * sigma) ** 2) / 2
        keypoints = np.zeros((17, 3))
        keypoints[k] = 100, 100, 2
        area = 10**2 / (2 * variance * -math.log(0.75))
        persons.append(person(k + 1, k + 1, keypoints, area, box=[0, 0, 100, area / 53]))
        detections.append(detection(k + 1, keypoints + np.array([10, 0, 1]), score=1 - k / 100))
    images = [dict(id=p['image_id'], width=640, height=480) for p in persons]
    return dict(images=images, annotations=persons, categories=[dict(id=1, name='person')]), detections


def cases() -> dict[str, dict]:
    """Named arguments of an evaluation: annotations, detections, sigmas (None, or numbers and their type), use_area."""

    def case(annotations, detections, sigmas=None, dtype='float64', use_area=True):
        return dict(annotations=annotations, detections=detections, sigmas=sigmas, dtype=dtype, use_area=use_area)

    def changed(seed, change=None, change_detection=None, **kwargs):
        annotations, detections = crowded_street(seed)
        for i, annotation in enumerate(annotations['annotations'] if change else []):
            change(i, annotation)
        for i, found in enumerate(detections if change_detection else []):
            change_detection(i, found)
        return case(annotations, detections, **kwargs)

    persons, detections = crowded_street(2, num_images=3)
    many_detections = [dict(found, score=found['score'] / (i + 1)) for found in detections for i in range(9)]
    detected = [found for found in crowded_street(12)[1] if found['image_id'] > 5]
    return {
        'default sigmas': changed(1),
        'float32 sigmas': changed(1, sigmas=COCO_SIGMAS, dtype='float32'),
        'float32 sigmas at a threshold': case(*between_two_precisions(), sigmas=COCO_SIGMAS, dtype='float32'),
        'float64 sigmas at a threshold': case(*between_two_precisions(), sigmas=COCO_SIGMAS),
        'twelve keypoints': case(*crowded_street(4, num_keypoints=12), sigmas=[0.02 + 0.01 * k for k in range(12)]),
        'over 20 detections in an image': case(persons, many_detections),
        'box areas': changed(1, use_area=False),
        'box areas at a threshold': case(*between_two_precisions(), sigmas=COCO_SIGMAS, use_area=False),
        'box areas, none annotated': changed(5, lambda i, a: a.pop('area'), use_area=False),
        'whole numbers': changed(
            6, _in_whole_numbers, lambda i, d: d.update(keypoints=list(map(math.ceil, d['keypoints'])))
        ),
        'crowds': changed(7, lambda i, a: a.update(iscrowd=int(i % 4 == 0))),
        'ignore is overruled': changed(7, lambda i, a: a.update(ignore=int(i % 3 == 0))),
        'unlabelled persons': changed(8, _unlabelled),
        'wrong num_keypoints': changed(8, lambda i, a: a.update(num_keypoints=i % 2)),
        'no num_keypoints': changed(8, lambda i, a: a.pop('num_keypoints')),
        'no iscrowd': changed(9, lambda i, a: a.pop('iscrowd')),
        'ids from 0': changed(9, lambda i, a: a.update(id=i)),
        'no score is positive': changed(10, None, _without_scores),
        'equal scores': changed(10, None, lambda i, d: d.update(score=0.5)),
        'detections with boxes': changed(11, None, lambda i, d: d.update(bbox=[0, 0, 30 + i, 40])),
        'no area where nothing is detected': case(_without_area(crowded_street(12)[0]), detected),
        'ids of images are strings': _with_string_ids(*crowded_street(13)),
        'no detections': case(crowded_street(1)[0], []),
        'no persons': case(dict(crowded_street(1)[0], annotations=[]), crowded_street(1)[1]),
    }


def _in_whole_numbers(i: int, annotation: dict) -> None:
    annotation.update(area=int(annotation['area']))
    annotation.update(keypoints=[int(number) for number in annotation['keypoints']])
    annotation.update(bbox=[int(number) for number in annotation['bbox']])


def _unlabelled(i: int, annotation: dict) -> None:
    if i % 3 == 0:
        annotation.update(keypoints=[0] * len(annotation['keypoints']), num_keypoints=0)


def _without_area(annotations: dict) -> dict:
    for annotation in annotations['annotations']:
        if annotation['image_id'] <= 5:
            del annotation['area']
    return annotations


def _without_scores(i: int, found: dict) -> None:
    if i % 3 == 0:
        found['keypoints'][2::3] = [-0.1 * (i % 2)] * (len(found['keypoints']) // 3)


def _with_string_ids(annotations: dict, detections: list[dict]) -> dict:
    for image in annotations['images']:
        image['id'] = f'street/{image["id"]:03d}'
    for item in annotations['annotations'] + detections:
        item['image_id'] = f'street/{item["image_id"]:03d}'
    return dict(annotations=annotations, detections=detections, sigmas=None, dtype='float64', use_area=True)


def digest(case: dict) -> str:
    return hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:16]


def evaluate(case: dict, coco_class: type, evaluator_class: type) -> list[float]:
    """The ten figures, computed in the way MMPose's CocoMetric does."""
    sigmas = None if case['sigmas'] is None else np.array(case['sigmas'], dtype=case['dtype'])
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        files = {name: Path(folder, f'{name}.json') for name in ('annotations', 'detections')}
        for name, file in files.items():
            file.write_text(json.dumps(case[name]))
        annotations = coco_class(str(files['annotations']))
        detections = annotations.loadRes(str(files['detections']))
        evaluator = evaluator_class(annotations, detections, 'keypoints', sigmas, case['use_area'])
        evaluator.params.useSegm = None
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return [float(figure) for figure in evaluator.stats]


def main() -> None:
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    versions = {name: version(name) for name in ('xtcocotools', 'numpy')} | {'python': platform.python_version()}
    results = {
        name: dict(digest=digest(case), figures=dict(zip(FIGURES, evaluate(case, COCO, COCOeval), strict=True)))
        for name, case in cases().items()
    }
    ORACLE.write_text(json.dumps(dict(versions=versions, cases=results), indent=1) + '\n')


if __name__ == '__main__':
    main()
