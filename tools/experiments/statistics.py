"""Means, spreads and paired differences over seeds, with t intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from scipy import stats


@dataclass(frozen=True)
class Summary:
    """A sample of one quantity.

    Attributes:
        count: n.
        mean: Its mean.
        spread: Standard deviation of the sample (n - 1 in the denominator); ``None`` for n = 1.
        interval: Ends of the confidence interval of the mean, by Student's t; ``None`` for n = 1.
    """

    count: int
    mean: float
    spread: float | None
    interval: tuple[float, float] | None

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and zero is outside it."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def summarise(values: Sequence[float], confidence: float = 0.95) -> Summary:
    """Summarises a sample.

    Args:
        values: At least one.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: There is no value, or the confidence is out of range.
    """
    if not values:
        raise ValueError('A summary needs at least one value, got none.')
    if not 0 < confidence < 1:
        raise ValueError(f'confidence must be between 0 and 1, got {confidence}: 0.95 is usual.')
    count, centre = len(values), mean(values)
    if count == 1:
        return Summary(1, centre, None, None)
    spread = stdev(values)
    half = float(stats.t.ppf(0.5 + confidence / 2, count - 1)) * spread / math.sqrt(count)
    return Summary(count, centre, spread, (centre - half, centre + half))


def paired_differences(new: Mapping[int, float], old: Mapping[int, float]) -> dict[int, float]:
    """New less old for every seed that both have.

    Args:
        new: Values by seed.
        old: The same of what it is compared with.
    """
    return {seed: new[seed] - old[seed] for seed in sorted(new.keys() & old.keys())}


def count_excluding(summaries: Sequence[Summary]) -> str:
    """What must be known of a table of many intervals: how many exclude zero, and how many do by chance."""
    count = sum(summary.excludes_zero for summary in summaries)
    return (
        f'Of the {len(summaries)} intervals of this table {count or "none"} exclude{"s" * (count == 1)} 0; '
        'where nothing differs one in twenty does, by chance alone.'
    )
