"""Training: the temperature schedule, what stops a run gone wrong, mixed precision on a CPU, the memory format.

Also what is logged of the attention, and a second data set to validate on.
"""

from .amp import CpuAmpOptimWrapper
from .attention_log import AttentionLogHook
from .further_validation import FurtherValidationHook
from .memory_format import ChannelsLastHook
from .numerics import NonFiniteLossHook
from .temperature import TemperatureHook, temperature_at
from .undefined_scores import UndefinedScoreHook

__all__ = [
    'AttentionLogHook',
    'ChannelsLastHook',
    'CpuAmpOptimWrapper',
    'FurtherValidationHook',
    'NonFiniteLossHook',
    'TemperatureHook',
    'UndefinedScoreHook',
    'temperature_at',
]
