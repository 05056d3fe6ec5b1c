"""CloudWatch's statistics of a part of the samples: `p99`, `tm90`, `TM(10%:90%)`, `IQM`, `PR(:300)` and their kin.

By the user guide, "CloudWatch statistics definitions". Samples are pairs of a value and how often it came, sorted by
value. Bounds in percent cut by rank, and a sample on the cut counts in part; absolute bounds exclude the lower one and
include the upper one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from msgspec.structs import astuple

from harness.core.experiment.statistic_names import StatisticBounds, read_bounds

Samples = Sequence[tuple[float, float]]


class ExtendedStatistic(StatisticBounds, frozen=True):
    """A statistic of the samples between its bounds."""

    @property
    def is_percentile(self) -> bool:
        """Whether it is p50, p99 and the like."""
        return self.kind == "P"

    def of(self, samples: Samples) -> float | None:
        """Its number for samples of which there is at least one; None where none lies between the bounds."""
        return _KINDS[self.kind](self, samples)

    def between(self, samples: Samples) -> Samples:
        """The samples between the bounds; one on the cut of a rank with a part of its count."""
        if not self.percent:
            return [(value, times) for value, times in samples if self.low < value <= self.high]
        count = _count(samples)
        low, high = self.low / 100 * count, self.high / 100 * count
        within, before = [], 0.0
        for value, times in samples:
            overlap = min(high, before + times) - max(low, before)
            if overlap > 0:
                within.append((value, overlap))
            before += times
        return within


@lru_cache(maxsize=256)
def read_statistic(name: str) -> ExtendedStatistic | None:
    """The extended statistic of that name; None where CloudWatch has none."""
    found = read_bounds(name)
    return ExtendedStatistic(*astuple(found)) if found else None


def _count(samples: Samples) -> float:
    return sum(times for _, times in samples)


def _total(samples: Samples) -> float:
    return sum(value * times for value, times in samples)


def _percentile(wanted: ExtendedStatistic, samples: Samples) -> float:
    rank = _count(samples) * wanted.high / 100
    for value, times in samples:
        rank -= times
        if rank <= 0:
            return value
    return samples[-1][0]


def _trimmed_mean(wanted: ExtendedStatistic, samples: Samples) -> float | None:
    within = wanted.between(samples)
    return _total(within) / _count(within) if within else None


def _winsorized_mean(wanted: ExtendedStatistic, samples: Samples) -> float | None:
    """The mean of all samples, those outside the bounds counted as the bound next to them."""
    within = wanted.between(samples)
    if not within:
        return None
    low, high = (within[0][0], within[-1][0]) if wanted.percent else (wanted.low, wanted.high)
    return _total([(min(max(value, low), high), times) for value, times in samples]) / _count(samples)


_KINDS: Mapping[str, Callable[[ExtendedStatistic, Samples], float | None]] = {
    "P": _percentile,
    "TM": _trimmed_mean,
    "WM": _winsorized_mean,
    "TC": lambda wanted, samples: _count(wanted.between(samples)),
    "TS": lambda wanted, samples: _total(wanted.between(samples)),
    "PR": lambda wanted, samples: 100 * _count(wanted.between(samples)) / _count(samples),
}
