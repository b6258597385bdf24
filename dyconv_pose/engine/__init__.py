"""Training: temperature, memory format and precision, runs that can be stopped anywhere, what is watched and logged."""

from .amp import CpuAmpOptimWrapper
from .attention_log import AttentionLogHook
from .checkpoints import SafeCheckpointHook
from .further_validation import FurtherValidationHook
from .keep_memory import KeepMemoryHook
from .loops import ResumableEpochLoop, ResumableIterLoop
from .memory_format import ChannelsLastHook
from .numerics import NonFiniteLossHook
from .temperature import TemperatureHook, temperature_at
from .undefined_scores import UndefinedScoreHook

__all__ = [
    'AttentionLogHook',
    'ChannelsLastHook',
    'CpuAmpOptimWrapper',
    'FurtherValidationHook',
    'KeepMemoryHook',
    'NonFiniteLossHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SafeCheckpointHook',
    'TemperatureHook',
    'UndefinedScoreHook',
    'temperature_at',
]
