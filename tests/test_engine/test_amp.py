"""Mixed precision on a CPU with every kind of head, whose accuracies are computed by NumPy, without bfloat16."""

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS
from small_network import CONV_CFG
from tiny_coco import write_coco

from dyconv_pose.engine import CpuAmpOptimWrapper

pytestmark = pytest.mark.filterwarnings('ignore')

SIZES = dict(input_size=(64, 64), heatmap_size=(16, 16))
HEATMAP, REGRESSION = dict(type='MSRAHeatmap', sigma=2, **SIZES), dict(type='RegressionLabel', input_size=(64, 64))
SIMCC = dict(type='SimCCLabel', input_size=(64, 64), sigma=6.0, simcc_split_ratio=2.0)
INTEGRAL = dict(type='IntegralRegressionLabel', sigma=2.0, normalize=True, **SIZES)
SMOOTH, POOLED = dict(type='SmoothL1Loss', use_target_weight=True), dict(type='GlobalAveragePooling')
JOINTS = dict(num_joints=17)
DECONV = dict(deconv_out_channels=(8, 8, 8), deconv_kernel_sizes=(4, 4, 4))
SPLIT = dict(out_channels=17, input_size=(64, 64), in_featuremap_size=(2, 2), simcc_split_ratio=2.0)
GAU = dict(
    hidden_dims=16,
    s=8,
    expansion_factor=2,
    dropout_rate=0.0,
    drop_path=0.0,
    act_fn='SiLU',
    use_rel_bias=False,
    pos_enc=False,
)
JS = dict(type='MultipleLossWrapper', losses=[SMOOTH, dict(type='JSDiscretLoss', use_target_weight=True)])

HEADS = {
    'HeatmapHead': (HEATMAP, dict(out_channels=17, loss=dict(type='KeypointMSELoss'), **DECONV), None),
    'CPMHead': (HEATMAP, dict(out_channels=17, num_stages=1, loss=dict(type='KeypointMSELoss'), **DECONV), None),
    'SimCCHead': (SIMCC, dict(loss=dict(type='KLDiscretLoss'), deconv_out_channels=None, **SPLIT), None),
    'RTMCCHead': (SIMCC, dict(loss=dict(type='KLDiscretLoss', label_softmax=True), gau_cfg=GAU, **SPLIT), None),
    'RegressionHead': (REGRESSION, JOINTS | dict(loss=SMOOTH), POOLED),
    'RLEHead': (REGRESSION, JOINTS | dict(loss=dict(type='RLELoss', use_target_weight=True)), POOLED),
    'IntegralRegressionHead': (INTEGRAL, JOINTS | dict(in_featuremap_size=(2, 2), loss=SMOOTH) | DECONV, None),
    'DSNTHead': (INTEGRAL, JOINTS | dict(in_featuremap_size=(2, 2), loss=JS) | DECONV, None),
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco', 2)


def batch_of(data, codec):
    pipeline = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=(64, 64)),
        dict(type='GenerateTarget', encoder=codec),
        dict(type='PackPoseInputs'),
    ]
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(data),
            ann_file='annotations/person_keypoints_train2017.json',
            data_prefix=dict(img='train2017/'),
            pipeline=pipeline,
        )
    )
    return pseudo_collate([dataset[0], dataset[1]])


@pytest.mark.parametrize('name', HEADS)
def test_a_step_is_taken_with_every_head(data, name):
    codec, settings, neck = HEADS[name]
    model = MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            data_preprocessor=dict(type='PoseDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True),
            backbone=dict(type='DyResNet', depth=10, stem_channels=8, base_channels=8, conv_cfg=CONV_CFG),
            head=dict(type=name, in_channels=64, decoder=codec, **settings),
            **({'neck': neck} if neck else {}),
        )
    )
    wrapper, half = CpuAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01)), []
    model.backbone.register_forward_hook(lambda _module, _args, output: half.append(output[-1].dtype))
    log = model.train_step(batch_of(data, codec), wrapper)
    assert half == [torch.bfloat16]
    assert all(value.isfinite().all() for value in log.values())
    assert 'forward' not in vars(model.head)  # the head is as it was
