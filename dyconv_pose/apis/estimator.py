"""A pose network from a config and a checkpoint, for use on images."""

import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmpose.codecs import MSRAHeatmap, SimCCLabel
from mmpose.models.heads import HeatmapHead, RTMCCHead, SimCCHead
from torch import nn

from dyconv_pose.datasets.check import datasets_within, read_metainfo
from dyconv_pose.deploy.network import PoseNetwork, TorchNetwork
from dyconv_pose.engine.speed import use_channels_last
from dyconv_pose.inference import HeatmapModel, KeypointSet, TopdownSpec

from .checkpoint import load_weights
from .config import build_model, load_config

#: The steps of a test pipeline that :class:`HeatmapModel` does.
_PLAIN_STEPS = ('LoadImage', 'GetBBoxCenterScale', 'TopdownAffine', 'PackPoseInputs')

#: Steps that work on annotations alone, which images to infer on do not have.
_ANNOTATION_STEPS = ('KeypointConverter', 'SingleHandConverter', 'GenerateTarget')


class MMPoseModel:
    """MMPose's own test pipeline and prediction, for codecs and pipelines that :class:`HeatmapModel` does not know."""

    def __init__(self, model: nn.Module, config: Config, metainfo: dict) -> None:
        self.model, self.metainfo = model, metainfo
        self.keypoint_set = keypoint_set_of_metainfo(metainfo)
        self.pipeline = Compose(config.test_dataloader.dataset.pipeline)
        try:
            self.prepare(np.zeros((64, 64, 3), dtype=np.uint8), np.array([[0, 0, 64, 64]], dtype=np.float32))
        except KeyError as error:
            raise ValueError(
                f'A step of test_dataloader needs {error}, and images to infer on have no annotations: take it out.'
            ) from error

    def prepare(self, pixels: np.ndarray, boxes_xyxy: np.ndarray) -> tuple[list[dict], np.ndarray]:
        """Runs the pipeline for each person; see :meth:`HeatmapModel.prepare`."""
        score = np.ones(1, dtype=np.float32)
        inputs = [dict(img=pixels, bbox=box[None], bbox_score=score, **self.metainfo) for box in boxes_xyxy]
        samples = [self.pipeline(one) for one in inputs]
        places = [sample['data_samples'].metainfo for sample in samples]
        regions = [np.concatenate([place['input_center'], place['input_scale']]) for place in places]
        return samples, np.array(regions, dtype=np.float32).reshape(-1, 4)

    @torch.no_grad()
    def estimate(self, samples: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Predicts a batch; heatmaps come with it where the model's ``test_cfg.output_heatmaps`` is on."""
        results = self.model.test_step(pseudo_collate(samples))
        keypoints = np.concatenate([result.pred_instances.keypoints for result in results])
        scores = np.concatenate([result.pred_instances.keypoint_scores for result in results])
        has_heatmaps = 'pred_fields' in results[0] and 'heatmaps' in results[0].pred_fields
        heatmaps = [result.pred_fields.heatmaps.cpu().numpy() for result in results] if has_heatmaps else None
        return keypoints[..., :2], scores, np.stack(heatmaps) if heatmaps else None


def load_model(
    config: str | Path | Config,
    checkpoint: str | Path | None,
    device: str = 'cpu',
    flip_test: bool | None = None,
    keep_heatmaps: bool = False,
    trust: bool = False,
) -> HeatmapModel | MMPoseModel:
    """Loads a pose network of MMPose; arguments and errors as in :func:`dyconv_pose.load_estimator`."""
    config = deepcopy(config) if isinstance(config, Config) else load_config(config)
    if config.model.get('type') != 'TopdownPoseEstimator':
        raise ValueError(f'Inference needs a TopdownPoseEstimator, the config describes a {config.model.get("type")}.')
    if not config.get('test_dataloader'):
        raise ValueError('Inference prepares images as tests do, and the config has no test_dataloader: add it.')
    config = unwrapped(config)
    test_cfg = config.model.setdefault('test_cfg', {})
    if flip_test is not None:
        test_cfg.flip_test = flip_test
    if keep_heatmaps:
        test_cfg.output_heatmaps = True
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMCV tells how its hard sigmoid changed years ago
        model = revert_sync_batchnorm(build_model(config))
    if checkpoint is not None:
        load_weights(model, checkpoint, trust)
    metainfo = _metainfo(config)
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without CUDA asserts
        what = str(error).splitlines()[0]
        raise ValueError(f'The device must be one that PyTorch has, such as "cpu", got "{device}": {what}') from error
    if torch.device(device).type == 'cpu':
        use_channels_last(model)  # in which PyTorch's convolutions are quicker
    model.eval()
    spec = topdown_spec(model, config)
    if spec is None or (keep_heatmaps and spec.simcc_size_wh):  # MMPose makes heatmaps of SimCC vectors
        return MMPoseModel(model, config, metainfo)
    return HeatmapModel(TorchNetwork(PoseNetwork(model)), spec, keypoint_set_of_metainfo(metainfo))


def keypoint_set_of_config(config: str | Path | Config) -> KeypointSet:
    """The keypoints of a config's dataset; a ValueError where it names none."""
    config = config if isinstance(config, Config) else load_config(config)
    return keypoint_set_of_metainfo(_metainfo(unwrapped(config)))


def unwrapped(config: Config) -> Config:
    """A config whose test set prepares single images: a plain dataset in place of one that is made of others.

    Of those within it is the first, with the metainfo of the outermost that has some, and the steps of all pipelines
    that do not work on annotations alone.
    """
    config, metainfo, steps = config.copy(), None, []
    within = [config.test_dataloader.dataset] if config.get('test_dataloader') else []
    while within:
        dataset = within[0]
        metainfo = metainfo or dataset.get('metainfo')
        steps = [*(dataset.get('pipeline') or []), *steps]  # the inner ones come first
        within = datasets_within(dataset)
    if steps:
        plain = {**dataset, 'pipeline': [step for step in steps if step['type'] not in _ANNOTATION_STEPS]}
        plain |= {'metainfo': metainfo} if metainfo else {}
        config.test_dataloader = {**config.test_dataloader, 'dataset': plain}
    return config


def keypoint_set_of_metainfo(metainfo: dict) -> KeypointSet:
    """Reads a dataset's metainfo, as MMPose parses it (``parse_pose_metainfo``)."""

    def rows(name: str) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(int(value) for value in row) for row in metainfo[name])

    sigmas = metainfo.get('sigmas')
    return KeypointSet(
        names=tuple(metainfo['keypoint_id2name'][index] for index in range(metainfo['num_keypoints'])),
        flip_indices=tuple(int(index) for index in metainfo['flip_indices']),
        skeleton=rows('skeleton_links'),
        keypoint_colors=rows('keypoint_colors'),
        limb_colors=rows('skeleton_link_colors'),
        sigmas=() if sigmas is None else tuple(float(sigma) for sigma in sigmas),
        dataset=str(metainfo.get('dataset_name', '')),
    )


def _metainfo(config: Config) -> dict:
    """The metainfo of the dataset that a config tests on, or else of that which it trains on."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that MMPose looks for the metainfo among its own configs
        for split in ('test', 'train'):
            metainfo = read_metainfo(config[f'{split}_dataloader'].dataset) if f'{split}_dataloader' in config else None
            if metainfo is not None:
                return metainfo
    raise ValueError('The config must name a dataset with keypoint metainfo in its test_dataloader, it has none.')


def topdown_spec(model: nn.Module, config: Config) -> TopdownSpec | None:
    """How a network's input is made and its heatmaps are read, or ``None`` where only MMPose itself can do that."""
    steps = config.test_dataloader.dataset.pipeline
    head, preprocessor, test_cfg = model.head, config.model.get('data_preprocessor') or {}, config.model.test_cfg
    is_heatmap = isinstance(head, HeatmapHead) and type(head).predict is HeatmapHead.predict
    is_heatmap = is_heatmap and type(head.decoder) is MSRAHeatmap and test_cfg.get('flip_mode', 'heatmap') == 'heatmap'
    is_simcc = type(head) in (RTMCCHead, SimCCHead) and type(head.decoder) is SimCCLabel
    is_simcc = is_simcc and not head.decoder.use_dark and not head.decoder.decode_visibility
    is_plain = (
        tuple(step['type'] for step in steps) == _PLAIN_STEPS
        and set(steps[0]) <= {'type', 'backend_args'}
        and not steps[2].get('use_udp')
        and (is_heatmap or is_simcc)
        and not test_cfg.get('output_keypoint_indices')
        and set(preprocessor) == {'type', 'mean', 'std', 'bgr_to_rgb'}
        and preprocessor.type == 'PoseDataPreprocessor'
        and len(preprocessor.mean) == 3
    )
    if not is_plain:
        return None
    return TopdownSpec(
        input_size_wh=tuple(steps[2]['input_size']),
        mean=tuple(preprocessor.mean),
        std=tuple(preprocessor.std),
        swap_red_blue=preprocessor.bgr_to_rgb,
        padding=steps[1].get('padding', 1.25),
        flip_test=bool(test_cfg.get('flip_test', False)),
        shift_heatmap=bool(test_cfg.get('shift_heatmap', False)),
        blur_kernel_size=head.decoder.blur_kernel_size if is_heatmap and head.decoder.unbiased else None,
        simcc_size_wh=tuple(int(size * head.simcc_split_ratio) for size in head.input_size) if is_simcc else None,
    )
