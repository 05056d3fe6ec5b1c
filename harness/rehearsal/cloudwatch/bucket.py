"""Samples gathered in one bucket, and the statistics that CloudWatch makes of them."""

import math
from collections.abc import Callable, Mapping

from harness.rehearsal.cloudwatch.extended_statistics import read_statistic

SHARPNESS = 512


class Bucket:
    """What one metric measured in one stretch of time, in constant memory.

    Percentiles and their kin come from values rounded to nine binary digits, hence at most 0.1 % off (AWS's are
    approximate too).
    """

    __slots__ = ("count", "high", "low", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.values: dict[float, float] = {}

    def add(self, value: float, times: float = 1.0) -> None:
        """Counts `value`, `times` times."""
        self.count += times
        self.total += value * times
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        mantissa, exponent = math.frexp(value)
        rounded = math.ldexp(round(mantissa * SHARPNESS) / SHARPNESS, exponent)
        self.values[rounded] = self.values.get(rounded, 0.0) + times

    def add_summary(self, count: float, total: float, low: float, high: float) -> None:
        """Counts samples of which only a summary is known; percentiles and their kin are lost unless all were the
        same value."""
        if low == high:
            self.add(low, count)
            return
        self.count += count
        self.total += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def merge(self, other: "Bucket") -> None:
        """Counts all that `other` counted."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        for value, times in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + times

    def statistic(self, name: str) -> float | None:
        """A statistic by its AWS name, as `Sum`, `p99.9` or `TM(10%:90%)`.

        None for an extended one of summaries, or of samples of which none lies between its bounds.
        """
        if name in STATISTICS:
            return STATISTICS[name](self)
        extended = read_statistic(name)
        if extended is None or sum(self.values.values()) < self.count:
            return None
        samples = [(min(max(value, self.low), self.high), self.values[value]) for value in sorted(self.values)]
        return extended.of(samples)


def counted(*, ones: float, zeros: float) -> Bucket:
    """The samples of a metric that is 1 each time something happened and 0 each time it did not."""
    bucket = Bucket()
    for value, times in ((1.0, ones), (0.0, zeros)):
        if times:
            bucket.add(value, times)
    return bucket


STATISTICS: Mapping[str, Callable[[Bucket], float]] = {
    "SampleCount": lambda bucket: bucket.count,
    "Average": lambda bucket: bucket.total / bucket.count,
    "Sum": lambda bucket: bucket.total,
    "Minimum": lambda bucket: bucket.low,
    "Maximum": lambda bucket: bucket.high,
}


def is_statistic(name: str) -> bool:
    """Whether CloudWatch has the statistic."""
    return name in STATISTICS or read_statistic(name) is not None
