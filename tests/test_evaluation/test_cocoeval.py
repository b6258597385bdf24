"""Our evaluator against figures that the real xtcocotools computed of the same detections."""

import json

import numpy as np
import pytest
from make_xtcocotools_oracle import COCO_SIGMAS, ORACLE, cases, crowded_street, digest, evaluate

from dyconv_pose.evaluation.cocoeval import COCO, COCOeval

CASES = cases()
EXPECTED = json.loads(ORACLE.read_text())['cases']


def loaded(annotations):
    coco = COCO()
    coco.dataset = annotations
    coco.createIndex()
    return coco


def test_the_oracle_has_every_case():
    assert EXPECTED.keys() == CASES.keys()


@pytest.mark.parametrize('name', CASES)
def test_figures_equal_those_of_xtcocotools(name):
    assert digest(CASES[name]) == EXPECTED[name]['digest'], 'other detections: run make_xtcocotools_oracle.py again'
    figures = evaluate(CASES[name], COCO, COCOeval)
    np.testing.assert_allclose(figures, list(EXPECTED[name]['figures'].values()), rtol=0, atol=1e-12)


def test_the_cases_tell_evaluators_apart():
    """Cases that differ in one respect differ in their figures, so each of them checks something."""
    figures = {name: tuple(result['figures'].values()) for name, result in EXPECTED.items()}
    assert figures['float32 sigmas at a threshold'] != figures['float64 sigmas at a threshold']
    assert figures['box areas'] != figures['default sigmas']
    assert figures['box areas at a threshold'] != figures['float64 sigmas at a threshold']
    assert figures['crowds'] != figures['ignore is overruled']
    assert figures['no num_keypoints'] == figures['wrong num_keypoints']


def test_evaluation_leaves_the_annotations_as_they_are():
    annotations, detections = crowded_street(9)
    for i, annotation in enumerate(annotations['annotations']):
        annotation['id'] = i
    before = json.dumps(annotations)
    coco = loaded(annotations)
    evaluator = COCOeval(coco, coco.loadRes(detections), use_area=False)
    evaluator.evaluate()
    assert json.dumps(annotations) == before


def test_images_are_found_by_ids_that_are_strings():
    coco = loaded(CASES['ids of images are strings']['annotations'])
    for image_id in coco.getImgIds():
        assert coco.loadImgs(image_id)[0]['id'] == image_id
        expected = {a['id'] for a in coco.dataset['annotations'] if a['image_id'] == image_id}
        assert set(coco.getAnnIds(imgIds=image_id)) == expected


def test_persons_without_iscrowd_are_no_crowds():
    coco = loaded(CASES['no iscrowd']['annotations'])
    assert coco.getAnnIds(iscrowd=False) == coco.getAnnIds() != []


def test_detections_may_be_a_list_a_file_or_absent(tmp_path):
    annotations, detections = crowded_street(1)
    (tmp_path / 'detections.json').write_text(json.dumps(detections))
    coco = loaded(annotations)
    from_file, from_list = coco.loadRes(str(tmp_path / 'detections.json')), coco.loadRes(detections)
    assert from_file.dataset['annotations'] == from_list.dataset['annotations']
    assert coco.loadRes([]).getImgIds() == coco.getImgIds()
    assert coco.loadRes([]).getAnnIds() == []


def test_a_detected_person_without_area_is_an_error():
    annotations, detections = crowded_street(5)
    for annotation in annotations['annotations']:
        del annotation['area']
    coco = loaded(annotations)
    with pytest.raises(ValueError, match='has no "area": evaluate with use_area=False'):
        COCOeval(coco, coco.loadRes(detections)).evaluate()


def test_other_evaluations_of_xtcocotools_are_refused():
    with pytest.raises(ValueError, match="not 'keypoints_crowd': install xtcocotools"):
        COCOeval(iouType='keypoints_crowd')


def test_default_sigmas_are_those_of_coco():
    np.testing.assert_allclose(COCOeval().params.kpt_oks_sigmas, COCO_SIGMAS, rtol=1e-12)
    np.testing.assert_array_equal(COCOeval(sigmas=[0.1, 0.2]).params.kpt_oks_sigmas, [0.1, 0.2])
