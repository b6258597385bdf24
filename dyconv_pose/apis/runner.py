"""Training and testing by MMEngine's Runner, and what goes wrong in it said in one sentence."""

import errno
import os
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import VISUALIZERS
from torch import nn

from dyconv_pose.datasets.check import check_data, parts_to_check
from dyconv_pose.files import reading_once
from dyconv_pose.layers import dynamic_layers

from .checkpoint import ResumePoint, find_resume_point, fit_weights, read_checkpoint, read_resume_point, weights_only
from .config import BUILD_ERRORS, check_input_size, describe

#: Where launchers write a process's number: torchrun, Slurm, Open MPI.
_RANK_VARIABLES = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')

#: The names of MMEngine's default hooks.
_OWN_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')

#: What PyTorch puts before the traceback of another process or thread.
_WRAPPED = re.compile(r'^Caught \w+ in .*\nOriginal ')

#: What MMPose's LoadImage says of an image; what OpenCV and MMCV say in it, and what that means.
_IMAGE = re.compile(r'`(?P<reason>.*)` occurs when loading `(?P<path>.*?)`', re.DOTALL)
_REASONS = {
    'No such file': 'the file does not exist',
    '!buf.empty()': 'the file is empty',
    'failed to load image': 'it is no image, or a damaged one',
}

_DEAD_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\)? (?P<how>.*?)(\.|$)')

#: What gloo and PyTorch's store say when another process of the job is gone.
_DEAD_PEER = re.compile(
    'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket closed|Timed out waiting|wait timeout|'
    'remote process|NCCL.*(closed|abort|timeout)',
    re.IGNORECASE,
)


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
    if amp:
        config.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'CpuAmpOptimWrapper'
        if torch.cuda.is_available():
            config.optim_wrapper.setdefault('loss_scale', 'dynamic')
        else:  # where the config names AmpOptimWrapper
            _ = config.optim_wrapper.pop('loss_scale', None), config.optim_wrapper.pop('dtype', None)
    point, known = _resume_point(config, resume, trust) if resume or config.get('resume') else None, {}
    if point:
        config.resume, config.load_from = True, str(point.path)
        known[str(point.path)] = point.content
        point = replace(point, content={})  # the run is not to hold it
    with weights_only(trust, known), _one_sentence(config.filename):
        with reading_once():
            runner = _build_runner(config, ('train', 'val'))
            _ = runner.train_loop, runner.val_loop  # builds the datasets
        if point:
            for line in point.passed_over:
                runner.logger.warning(line)
            done = f'{point.epoch} epochs and {point.iteration} iterations are done.'
            runner.logger.info(f'Resuming from "{point.path}", the last whole checkpoint: {done}')
        runner.train()
    return runner


def test(config: Config, checkpoint: str | Path, trust: bool = False) -> dict[str, float]:
    """Scores a checkpoint, which must fit the network exactly; returns the metrics by name, such as ``coco/AP``.

    Raises:
        FileNotFoundError: A data file or the checkpoint does not exist.
        ValueError: The config, its data or the checkpoint cannot be used.
    """
    content = read_checkpoint(checkpoint, trust)
    config.load_from, config.resume = None, False  # where training starts from would replace the weights
    with _one_sentence(config.filename):
        with reading_once():
            runner = _build_runner(config, ('test',))
            fit_weights(_network(runner), content, checkpoint)
            _ = runner.test_loop
        return runner.test()


def _resume_point(config: Config, resume: bool | str, trust: bool) -> ResumePoint | None:
    """The checkpoint that is named, here or in the config, or the last whole one of the work directory."""
    named = resume if isinstance(resume, str) else None if resume else config.get('load_from')
    try:
        return read_resume_point(named, trust) if named else find_resume_point(config.work_dir, trust)
    except FileNotFoundError:
        if resume or named:
            raise
        return None  # a config with "resume = True" begins where there is nothing yet, as with MMEngine


class _Runner(Runner):
    """MMEngine's Runner; in several processes, stages are frozen before gradients are awaited from their weights."""

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Registers hooks by name; ``None`` leaves one out, which MMEngine allows for its own alone."""
        hooks = {name: hook for name, hook in (hooks or {}).items() if hook is not None or name in _OWN_HOOKS}
        super().register_default_hooks(hooks)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wraps the network, set to training, which is when MMPose's networks freeze stages."""
        return super().wrap_model(model_wrapper_cfg, model.train() if self.distributed else model)


def _build_runner(config: Config, splits: tuple[str, ...]) -> Runner:
    """Checks the data of the splits and builds the run; every process looks for the files, the first one reads them."""
    is_distributed = config.get('launcher', 'none') != 'none'
    is_first = not is_distributed or not any(int(os.environ.get(name, 0)) for name in _RANK_VARIABLES)
    (check_data if is_first else parts_to_check)(config, splits)
    if is_distributed and not torch.cuda.is_available():
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
    return getattr(runner.model, 'module', runner.model)  # DDP has the network as its module


@contextmanager
def _one_sentence(config_name: str | None) -> Iterator[None]:
    """A ``with`` block that turns the errors that :func:`describe_run_error` knows into a ``ValueError``."""
    try:
        yield
    except Exception as error:
        if sentence := describe_run_error(error, config_name or 'CONFIG'):
            raise ValueError(sentence) from error
        raise


def describe_run_error(error: Exception, config_name: str = 'CONFIG') -> str | None:
    """The sentence for an error of the data, the machine or the config that came after a run began, else ``None``."""
    text, check = str(error), f'"python tools/dataset_converters/check_dataset.py {config_name} --images"'
    is_wrapped = bool(_WRAPPED.match(text))  # in the frames of a worker process
    message = last_error(text) if is_wrapped else text
    if image := _IMAGE.search(message):
        known = [meaning for said, meaning in _REASONS.items() if said in image['reason']]
        return (
            f'The image "{image["path"]}" cannot be read ({(known or [" ".join(image["reason"].split())])[0]}): '
            f'replace it or take it out of the annotations; {check} finds every such image.'
        )
    if dead := _DEAD_WORKER.search(text):
        return (
            f'A data-loading process died ({" ".join(dead["how"].split())}), most often because memory ran out: lower '
            'num_workers of the data loaders, or batch_size.'
        )
    if is_wrapped:
        problem = ' '.join(message.split())
        return f'Loading data failed with {problem}: check the data ({check}) and the pipeline of the config.'
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f'The disk is full ({error.strerror}{f", {error.filename}" if error.filename else ""}) and the run was '
            'stopped; the checkpoints on it are whole: make room and go on with --resume.'
        )
    is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if is_distributed and 'Expected to have finished reduction' in text:
        return (
            'Some weights had no part in the loss, and processes that train together wait for gradients of all: freeze '
            'them, or set find_unused_parameters=True in the config.'
        )
    if is_distributed and isinstance(error, RuntimeError) and _DEAD_PEER.search(text):
        return (
            f'Another process of this job ended, and process {torch.distributed.get_rank()} stops too: the reason is '
            'above, or it was killed (did memory run out?); go on with --resume.'
        )
    for frame, _ in traceback.walk_tb(error.__traceback__) if isinstance(error, BUILD_ERRORS) else ():
        function = frame.f_code.co_name  # MMEngine builds loaders, optimisers, evaluators when they are needed
        if frame.f_globals.get('__name__') == Runner.__module__ and function.startswith('build_'):
            return f'The {function.removeprefix("build_")} of the config cannot be built: {describe(error)}'
    return None


def last_error(text: str) -> str:
    """The type and message of the last error in a traceback's text, without its frames, whose lines are indented."""
    last = text.rpartition('Traceback (most recent call last):\n')[2].splitlines()
    start = next((place for place, line in enumerate(last) if line and not line.startswith(' ')), 0)
    return '\n'.join(last[start:]).strip()
