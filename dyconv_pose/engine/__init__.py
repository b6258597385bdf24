"""Training: the temperature schedule, runs that can be stopped anywhere, what ends one gone wrong, precision."""

from .amp import CpuAmpOptimWrapper
from .checkpoints import SafeCheckpointHook
from .loops import ResumableEpochLoop, ResumableIterLoop
from .memory_format import ChannelsLastHook
from .numerics import NonFiniteLossHook
from .temperature import TemperatureHook, temperature_at
from .undefined_scores import UndefinedScoreHook

__all__ = [
    'ChannelsLastHook',
    'CpuAmpOptimWrapper',
    'NonFiniteLossHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SafeCheckpointHook',
    'TemperatureHook',
    'UndefinedScoreHook',
    'temperature_at',
]
