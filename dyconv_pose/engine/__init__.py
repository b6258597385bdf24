# ruff: noqa: F401
"""Training: temperature, CPU memory, format and precision, resuming, checkpoints, the NaN guard, and what is logged."""

from dyconv_pose import registration  # MMPose, importable

from .attention_log import AttentionLogHook
from .checkpoints import SafeCheckpointHook
from .keep_memory import KeepMemoryHook
from .loops import ResumableEpochLoop, ResumableIterLoop
from .memory_format import ChannelsLastHook
from .nan_guard import NonFiniteLossHook
from .optim import CpuAmpOptimWrapper
from .temperature import TemperatureHook, temperature_at
from .validation import DrawPredictionsHook, FurtherValidationHook, UndefinedScoreHook
