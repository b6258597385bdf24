"""A pose estimator from a config and a checkpoint."""

import warnings
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.codecs import MSRAHeatmap
from mmpose.models.heads import HeatmapHead
from torch import nn

from dyconv_pose.engine.keep_memory import is_freed_memory_kept
from dyconv_pose.engine.memory_format import use_channels_last
from dyconv_pose.inference import Fallback, HeatmapStage, HogPersons, KeypointSet, PersonSource, PoseEstimator
from dyconv_pose.inference.topdown import Estimate, PersonStage, Sample, TopdownSpec

from .checkpoint import load_weights
from .config import build_model, load_config

#: The steps of a test pipeline that :class:`HeatmapStage` does.
_PLAIN_STEPS = ('LoadImage', 'GetBBoxCenterScale', 'TopdownAffine', 'PackPoseInputs')

#: Pixels of input that go through a network at once on a CPU, where memory is not kept.
_PART_PIXELS = 2 * 256 * 192


class TorchNetwork:
    """A pose network of MMPose as a plain function of arrays.

    On a CPU a batch goes through in parts, unless the process keeps the memory that it frees
    (:func:`~dyconv_pose.engine.keep_memory.keep_freed_memory`): the system would give memory for the features of a
    whole one anew each time, and clear it. Where it is kept, a whole batch is the quicker way.

    Args:
        model: The estimator, with a backbone and a head.
        part: How many persons go through at once; ``None`` means the whole batch where memory is kept and on other
            devices than a CPU, and else as many as have the pixels of two inputs of 256x192.
    """

    def __init__(self, model: nn.Module, part: int | None = None) -> None:
        self.model, self.part = model, part

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Maps input (B, 3, H, W) float32 to heatmaps (B, K, h, w) float32."""
        device = next(self.model.parameters()).device
        is_whole = device.type != 'cpu' or is_freed_memory_kept()
        fitting = len(batch) if is_whole else max(_PART_PIXELS // (batch.shape[2] * batch.shape[3]), 1)
        parts = torch.from_numpy(batch).split(self.part or fitting)
        heatmaps = [self.model.head(self.model.extract_feat(part.to(device))) for part in parts]
        return torch.cat(heatmaps).float().cpu().numpy()


class MMPoseStage:
    """MMPose's own test pipeline and prediction, for codecs and pipelines that :class:`HeatmapStage` does not know.

    Args:
        model: The pose estimator.
        config: Its config, whose test pipeline is used.
        metainfo: The data set's, as MMPose parses it.
    """

    def __init__(self, model: nn.Module, config: Config, metainfo: dict) -> None:
        self.model, self.metainfo = model, metainfo
        self.pipeline = Compose(config.test_dataloader.dataset.pipeline)

    def prepare(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> list[Sample]:
        """Runs the pipeline for each person."""
        samples = []
        for box in boxes_xyxy:
            score = np.ones(1, dtype=np.float32)
            packed = self.pipeline(dict(img=image, bbox=box[None], bbox_score=score, **self.metainfo))
            place = packed['data_samples'].metainfo
            samples.append(Sample(packed, np.concatenate([place['input_center'], place['input_scale']])))
        return samples

    @torch.no_grad()
    def estimate(self, samples: list[Sample]) -> Estimate:
        """Predicts a batch; heatmaps come with it where the model's ``test_cfg.output_heatmaps`` is on."""
        results = self.model.test_step(pseudo_collate([sample.data for sample in samples]))
        keypoints = np.concatenate([result.pred_instances.keypoints for result in results])
        scores = np.concatenate([result.pred_instances.keypoint_scores for result in results])
        heatmaps = None
        if 'pred_fields' in results[0] and 'heatmaps' in results[0].pred_fields:
            heatmaps = np.stack([result.pred_fields.heatmaps.cpu().numpy() for result in results])
        return Estimate(keypoints[..., :2], scores, heatmaps)


def load_estimator(
    config: str | Path | Config,
    checkpoint: str | Path | None,
    device: str = 'cpu',
    batch_size: int = 16,
    flip_test: bool | None = None,
    persons: PersonSource | None = None,
    keep_heatmaps: bool = False,
    trust: bool = False,
) -> PoseEstimator:
    """Loads a pose network for use on pictures.

    Args:
        config: The config file, or the config.
        checkpoint: The weights; ``None`` leaves them random, for tests.
        device: Where the network runs, such as ``'cpu'`` or ``'cuda:0'``.
        batch_size: How many persons go through the network at once.
        flip_test: Whether to average with the mirror image; ``None`` does as the config says.
        persons: Where persons are looked for in a picture without boxes. By default OpenCV's HOG detector, and the
            whole picture where that finds nobody.
        keep_heatmaps: Whether results carry heatmaps.
        trust: Whether the checkpoint may run code while it is read.

    Returns:
        The estimator.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: The config is no top-down network, the checkpoint does not fit it, or there is no such device.
    """
    config = load_config(config) if not isinstance(config, Config) else config.copy()
    if config.model.get('type') != 'TopdownPoseEstimator':
        raise ValueError(f'Inference needs a TopdownPoseEstimator, the config describes a {config.model.get("type")}.')
    test_cfg = config.model.setdefault('test_cfg', {})
    if flip_test is not None:
        test_cfg.flip_test = flip_test
    if keep_heatmaps:
        test_cfg.output_heatmaps = True
    if config.model.get('backbone', {}).get('init_cfg') is not None:
        config.model.backbone.init_cfg = None  # the checkpoint has everything: nothing is to be downloaded
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMCV tells how its hard sigmoid changed years ago
        model = revert_sync_batchnorm(build_model(config))
    if checkpoint is not None:
        load_weights(model, checkpoint, trust)
    metainfo = _metainfo(config)
    _move(model, device)
    if torch.device(device).type == 'cpu':
        use_channels_last(model)  # in which PyTorch's convolutions are quicker
    model.eval()
    keypoint_set = KeypointSet.from_metainfo(metainfo)
    stage = _stage(model, config, metainfo, keypoint_set)
    return PoseEstimator(stage, keypoint_set, persons or Fallback(HogPersons()), batch_size, keep_heatmaps)


def keypoint_set_of_config(config: str | Path | Config) -> KeypointSet:
    """The keypoints of a config's data set.

    Raises:
        FileNotFoundError: The config does not exist.
        ValueError: It names no data set.
    """
    return KeypointSet.from_metainfo(_metainfo(load_config(config) if not isinstance(config, Config) else config))


def _metainfo(config: Config) -> dict:
    """The metainfo of the data set that a config tests on, or else of that which it trains on."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that MMPose looks for the metainfo among its own configs
        for split in ('test', 'train'):
            metainfo = dataset_meta_from_config(config, split) if f'{split}_dataloader' in config else None
            if metainfo is not None:
                return metainfo
    raise ValueError('The config must name a data set with keypoint metainfo in its test_dataloader, it has none.')


def _move(model: nn.Module, device: str) -> None:
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without CUDA asserts
        first = str(error).splitlines()[0]
        raise ValueError(
            f'The device must be one that PyTorch has here, such as "cpu", got "{device}": {first}'
        ) from error


def _stage(model: nn.Module, config: Config, metainfo: dict, keypoint_set: KeypointSet) -> PersonStage:
    spec = topdown_spec(model, config)
    if spec is None:
        return MMPoseStage(model, config, metainfo)
    return HeatmapStage(TorchNetwork(model), spec, keypoint_set)


def topdown_spec(model: nn.Module, config: Config) -> TopdownSpec | None:
    """How a network's input is made and its heatmaps are read, or ``None`` where only MMPose itself can do that."""
    steps = config.test_dataloader.dataset.pipeline
    head, preprocessor, test_cfg = model.head, config.model.get('data_preprocessor') or {}, config.model.test_cfg
    plain = (
        tuple(step['type'] for step in steps) == _PLAIN_STEPS
        and set(steps[0]) == {'type'}
        and not steps[2].get('use_udp')
        and isinstance(head, HeatmapHead)
        and type(head).predict is HeatmapHead.predict
        and type(head.decoder) is MSRAHeatmap
        and test_cfg.get('flip_mode', 'heatmap') == 'heatmap'
        and not test_cfg.get('output_keypoint_indices')
        and set(preprocessor) == {'type', 'mean', 'std', 'bgr_to_rgb'}
        and preprocessor.type == 'PoseDataPreprocessor'
        and len(preprocessor.mean) == 3
    )
    if not plain:
        return None
    return TopdownSpec(
        input_size_wh=tuple(steps[2]['input_size']),
        mean=tuple(preprocessor.mean),
        std=tuple(preprocessor.std),
        swap_red_blue=preprocessor.bgr_to_rgb,
        padding=steps[1].get('padding', 1.25),
        flip_test=bool(test_cfg.get('flip_test', False)),
        shift_heatmap=bool(test_cfg.get('shift_heatmap', False)),
        blur_kernel_size=head.decoder.blur_kernel_size if head.decoder.unbiased else None,
    )
