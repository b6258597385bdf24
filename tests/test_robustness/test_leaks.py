"""Long runs: memory stays where it is, and the log grows by lines."""

import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS
from small_network import CONFIG, small_config
from tiny_coco import write_coco
from tiny_training import NUM_IMAGES, stateful_config

from dyconv_pose.apis import load_config, load_estimator, train

pytestmark = [
    pytest.mark.filterwarnings('ignore'),
    pytest.mark.slow,
    pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='memory is read from /proc, which is not here'),
]

#: Megabytes by which memory may differ between two moments of a run that leaks nothing: the allocator's own moods.
#: A leak of one input of the network (144 kB) in each call would make 115.
TOLERANCE = 8


def memory():
    """Megabytes of this process."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def growth(samples):
    """The difference between the medians of the second and the last fifth: the first one is warming up."""
    fifth = len(samples) // 5
    return float(np.median(samples[-fifth:]) - np.median(samples[fifth : 2 * fifth]))


def test_the_measure_sees_a_leak():
    kept, samples = [], []
    for _ in range(1000):
        kept.append(np.ones(18_000))  # one input of the network
        samples.append(memory())
    assert growth(samples) > 10 * TOLERANCE


def test_inference(record):
    pose = load_estimator(small_config(load_config(CONFIG)), None)
    rng, samples = np.random.default_rng(0), []
    for _ in range(1000):
        image = rng.integers(0, 255, (rng.integers(90, 200), rng.integers(90, 200), 3), np.uint8)
        pose.predict(image, boxes=[[5, 5, 60, 80]] * int(rng.integers(1, 4)), channel_order='bgr')
        samples.append(memory())
    record('leaks', inference_calls=len(samples), inference_growth_mb=round(growth(samples), 2))
    assert abs(growth(samples)) < TOLERANCE


@HOOKS.register_module(force=True)
class MemoryHook(Hook):
    """Keeps the memory and the length of the log at every iteration."""

    samples, log_bytes = [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.samples.append(memory())
        self.log_bytes.append(sum(path.stat().st_size for path in Path(runner.log_dir).glob('*.log')))


def test_training(tmp_path, record):
    data = write_coco(tmp_path / 'coco', NUM_IMAGES)
    config = stateful_config(data, tmp_path / 'work', 'iterations', ballast=False)
    config.train_cfg.max_iters, config.log_level = 500, 'INFO'
    config.default_hooks.checkpoint.interval = 100
    config.custom_hooks.append(dict(type='MemoryHook'))
    MemoryHook.samples.clear()
    MemoryHook.log_bytes.clear()
    train(config)
    MMLogger.get_current_instance().setLevel('ERROR')
    samples, log = MemoryHook.samples, MemoryHook.log_bytes
    per_iteration = (log[-1] - log[0]) / len(log)
    record(
        'leaks',
        training_iterations=len(samples),
        training_growth_mb=round(growth(samples), 2),
        log_bytes_per_iteration=round(per_iteration, 1),
    )
    assert len(samples) == 500
    assert abs(growth(samples)) < TOLERANCE
    assert 0 < per_iteration < 100  # a line for every twenty
