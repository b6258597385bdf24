"""A NaN or infinite loss: the run stops, the weights stay as they were, and the report names the batch."""

import functools
import json

import mmengine.optim.optimizer.amp_optimizer_wrapper as amp_module
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from mmpose.registry import HOOKS, OPTIM_WRAPPERS
from tiny_coco import tiny_config, write_coco
from torch import nn

from dyconv_pose.engine import CpuAmpOptimWrapper
from dyconv_pose.engine.watch import REPORT_NAME, all_finite, explain_undefined
from dyconv_pose.layers import DyConv2d, KernelAttention

pytestmark = pytest.mark.filterwarnings('ignore')

BAD_ITERATION = 3  # from 0


@HOOKS.register_module(force=True)
class LastGoodWeights(Hook):
    """Keeps a copy of the weights from before every iteration."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.weights = {name: value.detach().clone() for name, value in runner.model.named_parameters()}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


def make_runner(data, work_dir, watch=True, factor=None, **optim_wrapper):
    """A runner whose loss is multiplied by ``factor`` in one iteration."""
    config = tiny_config(data, work_dir, epochs=2, custom_hooks=[dict(type='LastGoodWeights')])
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.optim_wrapper.update(optim_wrapper)
    config.randomness = dict(seed=0)
    config.default_hooks.checkpoint.interval = -1
    if not watch:
        del config.default_hooks['non_finite_loss']
    runner = Runner.from_cfg(config)
    if factor is not None:
        loss_module, calls = runner.model.head.loss_module, []
        original = loss_module.forward

        def forward(*args, **kwargs):
            calls.append(1)
            return original(*args, **kwargs) * (factor if len(calls) == BAD_ITERATION + 1 else 1)

        loss_module.forward = forward
    return runner


def last_good(runner):
    return next(hook for hook in runner.hooks if isinstance(hook, LastGoodWeights)).weights


def same_weights(runner):
    return all(torch.equal(value, last_good(runner)[name]) for name, value in runner.model.named_parameters())


@OPTIM_WRAPPERS.register_module(force=True)
class ScalingOptimWrapper(CpuAmpOptimWrapper, AmpOptimWrapper):
    """MMEngine's AmpOptimWrapper with its gradient scaler, on a CPU."""


def allow_scaler_on_cpu(monkeypatch):
    monkeypatch.setattr(amp_module, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(amp_module, 'GradScaler', functools.partial(torch.amp.GradScaler, device='cpu'))


@pytest.mark.parametrize(
    ('wrapper', 'factor'),
    [('OptimWrapper', float('nan')), ('CpuAmpOptimWrapper', float('inf')), ('ScalingOptimWrapper', float('nan'))],
)
def test_stops_before_the_weights_change(data, tmp_path, monkeypatch, wrapper, factor):
    allow_scaler_on_cpu(monkeypatch)
    runner = make_runner(data, tmp_path, factor=factor, type=wrapper)
    with pytest.raises(FloatingPointError, match=r'loss_kpt became (nan|inf) in iteration 4 of epoch 2'):
        runner.train()
    assert same_weights(runner)
    report = json.loads((tmp_path / REPORT_NAME).read_text())
    assert (report['iteration'], report['epoch']) == (BAD_ITERATION + 1, 2)
    assert report['temperatures'] == [30.0]
    assert report['learning_rates'] == runner.optim_wrapper.get_lr()['lr']
    assert report['losses']['loss_kpt'] in ('nan', 'inf')
    assert report['non_finite_weights'] == []
    assert len(report['batch']) == 4
    for sample in report['batch']:
        assert sample['image_path'].endswith(f'train2017/{sample["image_id"]:012d}.jpg')
        assert (sample['annotation_id'] - 1) // 2 + 1 == sample['image_id']
        assert sample['inputs_finite'] and sample['targets_finite']


def test_without_the_hook_the_weights_are_lost(data, tmp_path):
    """The oracle of the test above can fail."""
    runner = make_runner(data, tmp_path, watch=False, factor=float('nan'))
    runner.train()
    assert not all(value.isfinite().all() for value in runner.model.parameters())


def test_inside_a_distributed_wrapper(data, tmp_path):
    class Wrapper(nn.Module):
        """Stands for MMDistributedDataParallel: the estimator is its module, and it has a train_step of its own."""

        def __init__(self, module):
            super().__init__()
            self.module = module

        def train_step(self, data, optim_wrapper):
            return self.module.train_step(data, optim_wrapper)

    runner = make_runner(data, tmp_path, factor=float('nan'))
    MODEL_WRAPPERS.register_module(module=Wrapper, force=True)
    runner.model = Wrapper(runner.model)
    with pytest.raises(FloatingPointError):
        runner.train()
    assert same_weights(runner)


def test_bad_image_is_named(data, tmp_path):
    runner = make_runner(data, tmp_path)
    dataset = runner.train_dataloader.dataset.dataset
    original = dataset.prepare_data

    def prepare_data(index):
        sample = original(index)
        if index == 5:
            sample['inputs'] = sample['inputs'].float() * float('nan')
        else:
            sample['inputs'] = sample['inputs'].float()
        return sample

    dataset.prepare_data = prepare_data
    with pytest.raises(FloatingPointError, match=r'look at the image .*000000000003.jpg'):
        runner.train()
    bad = [s for s in json.loads((tmp_path / REPORT_NAME).read_text())['batch'] if not s['inputs_finite']]
    assert [sample['annotation_id'] for sample in bad] == [6]


def test_infinite_gradient_of_a_finite_loss_goes_on_with_a_scaler(data, tmp_path, monkeypatch):
    """The scaler skips the step and lowers its scale, as it is made to."""
    allow_scaler_on_cpu(monkeypatch)
    runner = make_runner(data, tmp_path, type='ScalingOptimWrapper', loss_scale=dict(init_scale=3e38), factor=1e4)
    runner.train()
    assert runner.iter == 4
    assert runner.optim_wrapper.loss_scaler.get_scale() < 3e38
    assert all(value.isfinite().all() for value in runner.model.parameters())
    assert not (tmp_path / REPORT_NAME).exists()


def test_spoiled_weights_are_told_from_a_bad_batch(data, tmp_path):
    runner = make_runner(data, tmp_path)
    runner.call_hook('before_run')
    runner.model.init_weights = lambda: None
    next(runner.model.parameters()).data.fill_(float('nan'))
    with pytest.raises(FloatingPointError, match='1 weights were not finite already'):
        runner.train()


def test_good_run_is_not_changed_and_the_watch_ends(data, tmp_path):
    weights = []
    for watch in (True, False):
        runner = make_runner(data, tmp_path / str(watch), watch=watch)
        runner.train()
        weights.append(list(runner.model.parameters()))
        assert not runner.model._forward_hooks
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_only_losses_count():
    assert all_finite({'loss_kpt': torch.tensor(1.0), 'acc_pose': torch.tensor(float('nan'))})
    assert not all_finite({'loss_a': torch.tensor(1.0), 'loss_b': [torch.tensor(1.0), torch.tensor(float('inf'))]})
    assert not all_finite({'loss_a': torch.tensor(float('inf')), 'loss_b': torch.tensor(-float('inf'))})
    assert not all_finite({'loss_a': torch.tensor(2e38), 'loss_b': torch.tensor(2e38)})  # the sum is optimised


def test_wrapper_for_a_cpu_computes_in_bfloat16():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for kind, dtype in ((CpuAmpOptimWrapper, torch.bfloat16), (OptimWrapper, torch.float32)):
        with kind(optimizer).optim_context(layer):
            assert layer(torch.ones(1, 2)).dtype == dtype


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('temperature', [1e-3, 1e-2, 1.0, 30.0, 1e3])
@pytest.mark.parametrize('scale', [0.0, 1e-6, 1.0, 1e2, 1e4])
def test_attention_saturates_safely(dtype, temperature, scale):
    """Weights and features of the network's dtype throughout, up to where its own sums overflow."""
    attention = KernelAttention(16, 4, temperature=temperature).to(dtype)
    features = scale * torch.randn(8, 16, 3, 3)
    with torch.no_grad():
        weights = attention(features.to(dtype))
    tolerance = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 1e-5}[dtype]
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.float().sum(dim=1), torch.ones(8), atol=tolerance, rtol=0)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('temperature', [1e-3, 1.0, 1e3])
@pytest.mark.parametrize('logit', [1.0, 1e3, 6e4])
def test_attention_is_right_at_the_ends(dtype, temperature, logit):
    """Logits as far apart as float16 can hold, under autocast: one-hot, or in the ratio that float64 gives."""
    attention = KernelAttention(4, 3, temperature=temperature)
    with torch.no_grad():
        attention.excite.weight.zero_()
        attention.excite.bias.copy_(torch.tensor([logit, 0.0, -logit]))
        with torch.autocast('cpu', dtype=dtype):
            weights = attention(torch.randn(2, 4, 2, 2))
    rounded = torch.tensor([logit, 0.0, -logit]).to(dtype).double()
    expected = torch.softmax(rounded / attention.temperature.double(), dim=0)
    torch.testing.assert_close(weights.double(), expected.expand(2, 3), atol=5e-3, rtol=0)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_gradients_of_a_saturated_layer_are_finite(dtype):
    layer = DyConv2d(8, 4, 3, temperature=1e-3)
    with torch.autocast('cpu', dtype=dtype):
        layer(100 * torch.randn(2, 8, 6, 6)).float().square().mean().backward()
    assert all(value.grad.isfinite().all() for value in layer.parameters())


def test_undefined_scores_are_explained():
    assert explain_undefined({'coco/AP': 0.5, 'coco/AP (M)': 0.4}) == ''
    assert 'AP (M), AR (M) of -1' in explain_undefined({'coco/AP': 0.5, 'coco/AP (M)': -1.0, 'coco/AR (M)': -1})
    assert 'labelled keypoint' in explain_undefined({'coco/AP': -1.0})
