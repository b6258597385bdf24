"""A training of a second with everything that has a state, which a test can kill; and what its end is compared by."""

import os
import signal
import time
import traceback
from pathlib import Path

import torch
import torch._dynamo  # which optimisers import, so that each copy of this process finds it
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_coco import tiny_config

from dyconv_pose.apis import read_checkpoint, train

#: Batches of an epoch, and epochs: 12 images of two persons, four persons a batch.
NUM_IMAGES, EPOCHS, ITERATIONS = 12, 4, 24


@HOOKS.register_module(force=True)
class DropoutHook(Hook):
    """Random numbers in the training process itself."""

    def before_train(self, runner):
        runner.model.backbone.register_forward_hook(
            lambda module, args, output: tuple(F.dropout(value, 0.1, module.training) for value in output)
        )


@HOOKS.register_module(force=True)
class BallastHook(Hook):
    """Makes checkpoints large, so that writing them takes a good part of the time."""

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['ballast'] = torch.zeros(6_000_000)


def stateful_config(data, work_dir, mode='epochs', ballast=True, **loader):
    """The config.

    Args:
        data: Folder of tiny_coco.write_coco(..., NUM_IMAGES).
        work_dir: Where checkpoints go.
        mode: 'epochs' has a checkpoint after each epoch, 'within epochs' one after every other iteration, 'iterations'
            and 'endless' count no epochs, with a finite and with an endless sampler.
        ballast: Whether checkpoints are large.
        **loader: Settings of the training data loader.
    """
    config = tiny_config(data, work_dir, epochs=EPOCHS)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.train_cfg.val_interval = 2
    config.randomness = dict(seed=0, deterministic=True)
    config.param_scheduler = [
        dict(type='LinearLR', begin=0, end=8, start_factor=0.1, by_epoch=False),
        dict(type='CosineAnnealingLR', begin=0, end=ITERATIONS, T_max=ITERATIONS, by_epoch=False),
    ]
    config.default_hooks.temperature = dict(
        type='TemperatureHook', start=30, end=1, duration=ITERATIONS, by_epoch=False
    )
    config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2, save_best=None)
    config.custom_hooks = [dict(type='EMAHook', ema_type='ExponentialMovingAverage'), dict(type='DropoutHook')]
    if ballast:
        config.custom_hooks.append(dict(type='BallastHook'))
    config.train_dataloader.update(loader)
    if mode != 'epochs':
        config.default_hooks.checkpoint.update(by_epoch=False, interval=2)
    if mode in ('iterations', 'endless'):
        config.train_cfg = dict(type='ResumableIterLoop', max_iters=ITERATIONS, val_interval=8)
        config.log_processor = dict(by_epoch=False)
    if mode == 'endless':
        config.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    config.resume = True  # where there is something to resume from
    return config


def start(config):
    """Trains in a process of its own, which begins as a copy of this one; returns its id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        train(config)
        status = 0
    except Exception:  # whatever it is, the copy must end here and not go on as the test
        traceback.print_exc()
    finally:
        os._exit(status)


def finish(config):
    """Trains to the end in another process."""
    _, status = os.waitpid(start(config), 0)
    assert status == 0


def kill_after(config, seconds, while_writing=False):
    """Trains and kills the process after so many seconds, or when it next writes a checkpoint after them.

    Returns:
        Whether it was still running.
    """
    process, moment, work_dir = start(config), time.monotonic() + seconds, Path(config.work_dir)
    while time.monotonic() < moment or (while_writing and not any(work_dir.glob('*.partial'))):
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            assert status == 0
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def last_state(work_dir, mode='epochs'):
    """Everything of the last checkpoint that the training depends on, by name."""
    name = f'epoch_{EPOCHS}.pth' if mode == 'epochs' else f'iter_{ITERATIONS}.pth'
    content = read_checkpoint(work_dir / name)
    parts = {key: content[key] for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')}
    return flatten(parts) | {'iter': content['meta']['iter'], 'epoch': content['meta']['epoch']}


def flatten(value, name=''):
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: leaf for k, item in items for key, leaf in flatten(item, f'{name}/{k}').items()}
    return {name: value}


def differences(state, other):
    """Names of what is not the same, bit for bit."""
    names = state.keys() ^ other.keys()
    for name in state.keys() & other.keys():
        a, b = state[name], other[name]
        if not (torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b):
            names.add(name)
    return sorted(names)
