"""The pure crop and heatmap functions, and the whole of inference, against MMPose's own."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import inference_topdown
from mmpose.codecs import MSRAHeatmap
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.models.utils.tta import flip_heatmaps

from dyconv_pose.apis import build_model, load_config, load_estimator
from dyconv_pose.apis.estimator import MMPoseModel
from dyconv_pose.deploy.runtime import ExportedModel
from dyconv_pose.engine.speed import use_channels_last
from dyconv_pose.inference import HeatmapModel
from dyconv_pose.inference.topdown import (
    TopdownSpec,
    average_with_flipped,
    crop,
    decode,
    normalize,
    regions_of_boxes,
)

ROOT = Path(__file__).parents[2]
CONFIG = (
    ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def boxes():
    return np.array(
        [[10, 20, 90, 200], [100.5, 3.25, 300.75, 60.5], [-20, -30, 50, 60], [200, 150, 400, 300], [5, 5, 6.5, 7]],
        dtype=np.float32,
    )


@pytest.mark.parametrize('size', [(192, 256), (96, 128), (256, 256)])
def test_crops_equal_mmpose(image, boxes, size):
    for box, region in zip(boxes, regions_of_boxes(boxes, size), strict=True):
        sample = GetBBoxCenterScale().transform(dict(bbox=box[None]))
        expected = TopdownAffine(size).transform(dict(sample, img=image))
        np.testing.assert_array_equal(crop(image, region, size), expected['img'])
        np.testing.assert_allclose(region, [*expected['input_center'], *expected['input_scale']], rtol=1e-6)


@pytest.mark.parametrize('swap', [True, False])
def test_normalised_batch_equals_mmpose(image, swap):
    crops = np.stack([image, image[::-1]])
    preprocessor = PoseDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=swap)
    inputs = [torch.from_numpy(one.transpose(2, 0, 1).copy()) for one in crops]
    samples = [type('Sample', (), {'set_metainfo': lambda self, info: None})() for _ in crops]
    expected = preprocessor(dict(inputs=inputs, data_samples=samples))['inputs'].numpy()
    spec = TopdownSpec((320, 240), MEAN, STD, swap)
    np.testing.assert_array_equal(normalize(crops, spec), expected)


def test_a_crop_of_an_image_beyond_opencvs_limit_equals_that_of_a_part(image):
    wide = np.zeros((240, 40000, 3), dtype=np.uint8)
    wide[:, 36000:36320] = image
    region, inside = (regions_of_boxes([[x + 60, 40, x + 140, 200]], (96, 128))[0] for x in (36000, 0))
    difference = np.abs(crop(wide, region, (96, 128)).astype(int) - crop(image, inside, (96, 128)))
    assert difference.max() <= 2
    half_white = np.zeros((1500, 40000, 3), dtype=np.uint8)
    half_white[:, 20000:] = 255
    row = crop(half_white, regions_of_boxes([[0, 0, 40000, 1500]], (96, 128))[0], (96, 128))[64]
    assert (row[49:85] == 255).all() and not row[:47].any() and not row[88:].any()


def heatmaps_with_maxima_everywhere():
    """Random heatmaps with the maximum at every pixel, one pair of equal maxima, and some without positive values."""
    rng = np.random.default_rng(1)
    maps = rng.uniform(-1, 0.9, (8 * 6 + 3, 8, 6)).astype(np.float32)
    for index in range(48):
        maps[index].reshape(-1)[index] = 1
    maps[48] = -1
    maps[49] = 0
    maps[50, 2, 2] = maps[50, 5, 4] = 0.95
    return maps


def test_decoding_equals_mmpose_at_every_pixel():
    maps = heatmaps_with_maxima_everywhere()
    codec = MSRAHeatmap(input_size=(24, 32), heatmap_size=(6, 8), sigma=2)
    expected, expected_scores = codec.decode(maps)
    keypoints, scores = decode(maps[None])
    np.testing.assert_array_equal(keypoints * 4, expected)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize('shift', [True, False])
def test_flip_average_equals_mmpose(shift):
    maps = torch.rand(2, 3, 8, 6), torch.rand(2, 3, 8, 6)
    expected = (maps[0] + flip_heatmaps(maps[1].clone(), [0, 2, 1], shift_heatmap=shift)) * 0.5
    np.testing.assert_array_equal(
        average_with_flipped(maps[0].numpy(), maps[1].numpy(), [0, 2, 1], shift), expected.numpy()
    )


def mmpose_says(estimator, config, image, boxes, flip_test):
    """``inference_topdown`` on the estimator's weights."""
    model = build_model(config).eval()
    model.load_state_dict(network_of(estimator).state_dict())
    use_channels_last(model)  # as the estimator's, so that even the last bits are equal
    model.cfg, model.dataset_meta = config, dict(flip_indices=list(estimator.keypoint_set.flip_indices))
    model.test_cfg['flip_test'] = flip_test
    results = [result.pred_instances for result in inference_topdown(model, image, boxes)]
    return np.concatenate([one.keypoints for one in results]), np.concatenate([one.keypoint_scores for one in results])


@pytest.fixture
def load(lively):
    """Loads an estimator with lively random weights."""

    def load(config, **options):
        torch.manual_seed(3)
        estimator = load_estimator(config, None, **options)
        lively(network_of(estimator))
        return estimator

    return load


def network_of(estimator):
    return estimator.model.network.module if isinstance(estimator.model, HeatmapModel) else estimator.model.model


@pytest.mark.parametrize('flip_test', [True, False])
def test_results_equal_inference_topdown_and_do_not_depend_on_the_batch_size(load, image, boxes, flip_test):
    config = load_config(CONFIG)
    estimator = load(config, flip_test=flip_test)
    assert isinstance(estimator.model, HeatmapModel)
    keypoints, scores = mmpose_says(estimator, config, image, boxes, flip_test)
    assert np.ptp(scores, axis=0).min() > 0.01  # the heatmaps depend on the persons
    for batch_size in (1, 2, 3, 16):
        estimator.batch_size = batch_size
        many = list(estimator.predict_many([image, image, image], [boxes[:2], boxes[2:2], boxes[2:]], 'bgr'))
        assert [len(poses) for poses in many] == [2, 0, 3]
        found = np.concatenate([poses.keypoints for poses in many])
        assert np.abs(found - keypoints).max() <= 0.05
        np.testing.assert_allclose(np.concatenate([poses.scores for poses in many]), scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('flip_test', [True, False])
@pytest.mark.parametrize('codec', ['quarter', 'unbiased', 'udp'])
def test_every_codec_is_read_as_mmpose_reads_it(load, image, boxes, codec, flip_test):
    config = load_config(CONFIG)
    config.model.head.decoder.unbiased = codec == 'unbiased'
    if codec == 'udp':
        config.model.head.decoder = dict(type='UDPHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=2)
        config.test_dataloader.dataset.pipeline[2].use_udp = True
    estimator = load(config, flip_test=flip_test)
    assert isinstance(estimator.model, MMPoseModel) == (codec == 'udp')  # what the fast path does not know
    keypoints, scores = mmpose_says(estimator, config, image, boxes, flip_test)
    poses = estimator.predict(image, boxes, 'bgr')
    assert np.abs(poses.keypoints - keypoints).max() <= 0.05
    np.testing.assert_allclose(poses.scores, scores, rtol=1e-4)


def test_colours_in_either_order_give_one_result(load, image, boxes):
    estimator = load(load_config(CONFIG), flip_test=False)
    bgr = estimator.predict(image, boxes, channel_order='bgr')
    rgb = estimator.predict(image[..., ::-1], boxes, channel_order='rgb')
    np.testing.assert_array_equal(bgr.keypoints, rgb.keypoints)
    with pytest.raises(ValueError, match='channel_order'):
        estimator.predict(image, boxes)


def test_a_config_of_another_kind_is_refused():
    config = Config(dict(model=dict(type='BottomupPoseEstimator')))
    with pytest.raises(ValueError, match='TopdownPoseEstimator'):
        load_estimator(config, None)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match='device'):
        load_estimator(load_config(CONFIG), None, device='nosuch')


def test_the_pure_parts_import_and_run_without_torch_and_mmpose():
    program = """
import importlib.abc, importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'mmpose' else find(name, *rest)
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmpose', 'mmengine', 'mmcv', 'rich', 'av'):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
from dyconv_pose.inference import *
from dyconv_pose.inference import KeypointSet, TopdownSpec, HeatmapModel, PoseEstimator
from dyconv_pose.inference.detectors import WholeImage
names = KeypointSet(('nose',), (0,), (), ((255, 0, 0),), ())
spec = TopdownSpec((96, 128), (0, 0, 0), (1, 1, 1))
def brightest(batch):
    return batch[:, :1, ::4, ::4] / 255
image = np.zeros((128, 96, 3), np.uint8)
image[60:67, 38:45] = 255
poses = PoseEstimator(HeatmapModel(brightest, spec, names), WholeImage()).predict(image, channel_order='rgb')
assert np.abs(poses.keypoints[0, 0] - [41, 63]).max() < 8, poses.keypoints
assert not {'torch', 'mmpose', 'mmcv', 'mmengine'} & set(sys.modules)
"""
    subprocess.run([sys.executable, '-c', program], check=True, cwd=ROOT)


def test_metainfo_becomes_a_keypoint_set_that_survives_json():
    model = load_estimator(load_config(CONFIG), None).model
    keypoint_set = model.keypoint_set
    assert keypoint_set.names[0] == 'nose' and len(keypoint_set) == 17
    assert keypoint_set.flip_indices[5] == 6 and len(keypoint_set.sigmas) == 17
    assert len(keypoint_set.skeleton) == len(keypoint_set.limb_colors) == 19
    exported = ExportedModel(model.spec, keypoint_set)
    assert ExportedModel.from_json(exported.to_json()) == exported
