"""Experiments: several networks times several seeds, trained alike, recorded, compared."""

from .description import Experiment, Run, load_experiment
from .records import read_records
from .scheduling import run_all
from .worker import execute

__all__ = ['Experiment', 'Run', 'execute', 'load_experiment', 'read_records', 'run_all']
