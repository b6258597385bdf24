# ruff: noqa: F401
"""Training: the temperature, loops that resume, whole checkpoints, speed, the NaN guard, and what is logged."""

from dyconv_pose import registration  # MMPose, importable

from .attention import AttentionLogHook, TemperatureHook, temperature_at
from .loops import ResumableEpochLoop, ResumableIterLoop, SafeCheckpointHook
from .speed import ChannelsLastHook, CpuAmpOptimWrapper, KeepMemoryHook
from .watch import DrawPredictionsHook, FurtherValidationHook, NonFiniteLossHook, UndefinedScoreHook
