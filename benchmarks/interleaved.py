"""Timing in which all that is compared takes turns in one process, so that whatever else the machine does meets all."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))  # its folders are imported by name


def measure(
    functions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1, in_a_row: int = 1
) -> dict[str, list[float]]:
    """Calls every function in each round and returns the times of its calls in milliseconds.

    Args:
        functions: What is compared, by name.
        rounds: How many times each has its turn.
        warm_up: Rounds before these, which are not counted.
        in_a_row: Calls in a turn. Of several the first is not counted: it finds in the processor's caches what the
            function before has left there, unlike where a network runs for image after image.
    """
    times = {name: [] for name in functions}
    for number in range(warm_up + rounds):
        for name, function in functions.items():
            for call in range(in_a_row):
                start = time.perf_counter()
                function()
                if torch.cuda.is_initialized():
                    torch.cuda.synchronize()  # a GPU works on when the call returns
                if number >= warm_up and (call or in_a_row == 1):
                    times[name].append(1000 * (time.perf_counter() - start))
    return times


@torch.no_grad()
def settle(model: nn.Module, *inputs: object) -> None:
    """Gives features the scale that training does, by one batch's statistics of normalisation.

    Those of random weights shrink from layer to layer to denormal numbers, at which a processor is slow.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    model(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def summary(times: list[float]) -> dict:
    """Median and quartiles of times in milliseconds."""
    low, middle, high = np.percentile(times, [25, 50, 75])
    return {'median_ms': round(float(middle), 3), 'quartiles_ms': [round(float(low), 3), round(float(high), 3)]}


def environment(*packages: str) -> dict:
    """Versions, of further packages too, and machine, for the record."""
    from analysis_tools.environment import machine, versions

    return {'versions': {**versions(), **{name: version(name) for name in packages}}, 'machine': machine()}


def write(result: object, path: str) -> None:
    """Writes a result as JSON."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(result, indent=1) + '\n')
