"""Training: the temperature schedule, what stops a run gone wrong, mixed precision on a CPU."""

from .amp import CpuAmpOptimWrapper
from .numerics import NonFiniteLossHook
from .temperature import TemperatureHook, temperature_at
from .undefined_scores import UndefinedScoreHook

__all__ = ['CpuAmpOptimWrapper', 'NonFiniteLossHook', 'TemperatureHook', 'UndefinedScoreHook', 'temperature_at']
