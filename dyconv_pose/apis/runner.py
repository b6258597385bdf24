"""Training and testing by MMEngine's Runner."""

import os
import time
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import VISUALIZERS
from torch import nn

from dyconv_pose.datasets.check import check_data, require_files
from dyconv_pose.files import reading_once
from dyconv_pose.layers import dynamic_layers
from dyconv_pose.models.input_size import check_input_size

from .checkpoint import fit_weights, read_checkpoint, weights_only
from .config import BUILD_ERRORS, describe
from .resume import resume_point
from .run_errors import one_sentence

#: Where launchers write a process's number: torchrun, Slurm, Open MPI.
_RANK_VARIABLES = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def train(config: Config, resume: bool | str = False, amp: bool = False, trust: bool = False) -> Runner:
    """Trains the network of a config: the run of MMPose's ``tools/train.py``, after a check of the data.

    Args:
        config: As MMPose's ``tools/train.py`` takes it.
        resume: Whether to continue from the last whole checkpoint of the work directory, or the checkpoint to
            continue from. With the loops of :mod:`dyconv_pose.engine.loops`, the run ends as if it had not stopped.
        amp: Whether to train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU.
        trust: Whether checkpoints, also those of the config's ``load_from`` and ``init_cfg``, may run code.

    Raises:
        FileNotFoundError: A data file or the checkpoint to continue from does not exist.
        FloatingPointError: The loss became NaN or infinite (:class:`~dyconv_pose.engine.NonFiniteLossHook`).
        ValueError: The config, its data or a checkpoint cannot be used.
    """
    require_files(config, ('train', 'val'))
    if amp:
        config.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'CpuAmpOptimWrapper'
        if torch.cuda.is_available():
            config.optim_wrapper.setdefault('loss_scale', 'dynamic')
        else:  # where the config names AmpOptimWrapper
            _ = config.optim_wrapper.pop('loss_scale', None), config.optim_wrapper.pop('dtype', None)
    point, known = resume_point(config, resume, trust) if resume or config.get('resume') else None, {}
    if point:
        config.resume, config.load_from = True, str(point.path)
        known[str(point.path)] = point.content
        point = replace(point, content={})  # the run is not to hold it
    with weights_only(trust, known), one_sentence(config.filename):
        with reading_once():
            _check_data(config, ('train', 'val'))
            runner = _build_runner(config)
            _ = runner.train_loop, runner.val_loop  # builds the datasets
        if point:
            for line in point.passed_over:
                runner.logger.warning(line)
            runner.logger.info(
                f'Resuming from "{point.path}", the last whole checkpoint: {point.epoch} epochs and '
                f'{point.iteration} iterations are done.'
            )
        runner.train()
    return runner


def test(config: Config, checkpoint: str | Path, trust: bool = False) -> dict[str, float]:
    """Scores a checkpoint, which must fit the network exactly; returns the metrics by name, such as ``coco/AP``.

    Raises:
        FileNotFoundError: A data file or the checkpoint does not exist.
        ValueError: The config, its data or the checkpoint cannot be used.
    """
    require_files(config, ('test',))
    content = read_checkpoint(checkpoint, trust)
    config.load_from, config.resume = None, False  # where training starts from would replace the weights
    with one_sentence(config.filename):
        with reading_once():
            _check_data(config, ('test',))
            runner = _build_runner(config)
            fit_weights(_network(runner), content, checkpoint)
            _ = runner.test_loop
        return runner.test()


class _Runner(Runner):
    """MMEngine's Runner; in several processes, stages are frozen before gradients are awaited from their weights."""

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wraps the network, set to training, which is when MMPose's networks freeze stages."""
        return super().wrap_model(model_wrapper_cfg, model.train() if self.distributed else model)


def _check_data(config: Config, splits: tuple[str, ...]) -> None:
    """Checks the data in the first process; the others would only find the same."""
    if config.get('launcher', 'none') == 'none' or not any(int(os.environ.get(name, 0)) for name in _RANK_VARIABLES):
        check_data(config, splits)


def _build_runner(config: Config) -> Runner:
    if config.get('launcher', 'none') != 'none' and not torch.cuda.is_available():
        if not torch.distributed.is_initialized():  # the Runner would ask for a GPU
            os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
            os.environ.setdefault('MASTER_PORT', '29500')
            torch.distributed.init_process_group(backend='gloo')
        wrapper = dict(find_unused_parameters=config.get('find_unused_parameters', False))
        config.model_wrapper_cfg = {**wrapper, **(config.get('model_wrapper_cfg') or {}), 'device_ids': None}
    for loop in ('val_cfg', 'test_cfg'):
        if not torch.cuda.is_available() and (config.get(loop) or {}).get('fp16'):
            raise ValueError(f'{loop}.fp16 needs a GPU: leave it out on a CPU, whose bfloat16 NumPy does not read.')
    visualizer = config.get('visualizer')
    kind = VISUALIZERS.get(visualizer.type) if visualizer else None
    if kind is not None and kind.check_instance_created(visualizer.get('name', 'visualizer')):
        visualizer.name = f'visualizer_{time.time_ns()}'  # else a second run logs into the first one's folder
    try:
        runner = _Runner.from_cfg(config)
    except BUILD_ERRORS as error:
        raise ValueError(f'The run described by the config cannot be built: {describe(error)}') from error
    check_input_size(_network(runner))
    if config.get('efficient_conv_bn_eval') and any(dynamic_layers(runner.model)):
        raise ValueError(
            'efficient_conv_bn_eval must be left out of a config with dynamic layers, whose kernels change with the '
            'input: to_deploy folds their normalisation for inference.'
        )
    return runner


def _network(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
