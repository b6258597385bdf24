"""Training and testing by MMEngine's Runner."""

import os
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import VISUALIZERS

from dyconv_pose.datasets.check import check_data, require_files
from dyconv_pose.engine.loops import use_resumable_loop

from .checkpoint import load_weights
from .config import BUILD_ERRORS, build_model, describe
from .guard import inert_loading
from .resume import ResumePoint, find_resume_point, read_resume_point
from .run_errors import RunErrors

#: Where launchers write a process's number: torchrun, Slurm, Open MPI.
_RANK_VARIABLES = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def train(config: Config, resume: bool | str = False, amp: bool = False, trust: bool = False) -> Runner:
    """Trains the network of a config.

    A run that was stopped, at whatever moment, and is resumed ends with the weights of one that was not: see
    :mod:`dyconv_pose.engine.loops`.

    Args:
        config: A config as MMPose's ``tools/train.py`` takes it.
        resume: Whether to continue from the last whole checkpoint of the work directory, or the checkpoint to
            continue from.
        amp: Whether to train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU.
        trust: Whether the checkpoints that are read, also by the config's ``load_from`` and ``init_cfg``, may run
            code while they are.

    Returns:
        The runner, with the trained model.

    Raises:
        FileNotFoundError: A data file or the checkpoint to continue from does not exist.
        FloatingPointError: The loss became NaN or infinite (:class:`~dyconv_pose.engine.NonFiniteLossHook`).
        ValueError: The config does not describe a network or data that can be built, data cannot be used, or a
            checkpoint is not trusted.
    """
    require_files(config, ('train', 'val'))
    build_model(config)  # a wrong key is said before files are written, and before the data are read
    _check_data(config, ('train', 'val'))
    if amp:
        if torch.cuda.is_available():
            config.optim_wrapper.type = 'AmpOptimWrapper'
            config.optim_wrapper.setdefault('loss_scale', 'dynamic')
        else:
            config.optim_wrapper.type = 'CpuAmpOptimWrapper'
    point = _resume_point(config, resume, trust)
    if point:
        config.resume, config.load_from = True, str(point.path)
    use_resumable_loop(config)
    with inert_loading(trust):
        runner = _build_runner(config)
        for line in point.passed_over if point else ():
            runner.logger.warning(line)
        if point:
            runner.logger.info(
                f'Resuming from "{point.path}", the last whole checkpoint: {point.epoch} epochs and '
                f'{point.iteration} iterations are done.'
            )
        with RunErrors(config.filename):
            runner.train()
    return runner


def _resume_point(config: Config, resume: bool | str, trust: bool) -> ResumePoint | None:
    """The checkpoint that is named, by the caller or the config, or the last whole one of the work directory."""
    if not resume and not config.get('resume'):
        return None
    named = resume if isinstance(resume, str) else None if resume else config.get('load_from')
    try:
        return read_resume_point(named, trust) if named else find_resume_point(config.work_dir, trust)
    except FileNotFoundError:
        if resume or named:
            raise
        return None  # a config with "resume = True" begins where there is nothing yet, as with MMEngine


def test(config: Config, checkpoint: str | Path, trust: bool = False) -> dict[str, float]:
    """Scores a checkpoint on the test set of a config.

    Args:
        config: A config as MMPose's ``tools/test.py`` takes it.
        checkpoint: The weights, which must fit the network exactly.
        trust: Whether the checkpoint may run code while it is read.

    Returns:
        The metrics by name, such as ``coco/AP``.

    Raises:
        FileNotFoundError: A data file or the checkpoint does not exist.
        ValueError: The config cannot be built, the checkpoint does not fit, or data cannot be used.
    """
    require_files(config, ('test',))
    load_weights(build_model(config), checkpoint, trust)
    _check_data(config, ('test',))
    config.load_from, config.resume = None, False  # where training starts from would replace the weights
    runner = _build_runner(config)
    load_weights(runner.model.module if hasattr(runner.model, 'module') else runner.model, checkpoint, trust)
    with RunErrors(config.filename):
        return runner.test()


def _check_data(config: Config, splits: tuple[str, ...]) -> None:
    """Of several processes, the first one reads the files; all look whether they are there."""
    require_files(config, splits)
    if config.get('launcher', 'none') == 'none' or not any(int(os.environ.get(name, 0)) for name in _RANK_VARIABLES):
        check_data(config, splits)


def _build_runner(config: Config) -> Runner:
    if config.get('launcher', 'none') != 'none' and not torch.cuda.is_available():
        _start_cpu_processes(config)
    _separate_visualizer(config)
    try:
        return Runner.from_cfg(config)
    except BUILD_ERRORS as error:
        raise ValueError(f'The run described by the config cannot be built: {describe(error)}') from error


def _separate_visualizer(config: Config) -> None:
    """Gives a second run of one process a visualiser of its own: by one name MMEngine would go on with the first's.

    The scalars of the second run would then stand in the first one's folder.
    """
    visualizer = config.get('visualizer')
    kind = VISUALIZERS.get(visualizer.type) if visualizer else None
    if kind is not None and kind.check_instance_created(visualizer.get('name', 'visualizer')):
        visualizer.name = f'visualizer_{time.time_ns()}'


def _start_cpu_processes(config: Config) -> None:
    """Starts the process group before the Runner does, which would ask for a GPU."""
    if not torch.distributed.is_initialized():
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
        torch.distributed.init_process_group(backend='gloo')
    config.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
