"""Training: the temperature schedule, what stops a run gone wrong, mixed precision on a CPU, the memory format."""

from .amp import CpuAmpOptimWrapper
from .further_validation import FurtherValidationHook
from .memory_format import ChannelsLastHook
from .numerics import NonFiniteLossHook
from .temperature import TemperatureHook, temperature_at
from .undefined_scores import UndefinedScoreHook

__all__ = [
    'ChannelsLastHook',
    'CpuAmpOptimWrapper',
    'FurtherValidationHook',
    'NonFiniteLossHook',
    'TemperatureHook',
    'UndefinedScoreHook',
    'temperature_at',
]
