"""Training: the temperature schedule."""

from .temperature import TemperatureHook, temperature_at

__all__ = ['TemperatureHook', 'temperature_at']
