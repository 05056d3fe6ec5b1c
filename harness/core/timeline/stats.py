"""Exact statistics of small and large samples, from special functions alone: scipy.stats takes seconds to import.

The special functions take a third of one, so they are imported where one is needed, and no Locust process starts later.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.core.timeline.bounds import Bounds

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing

SMALLEST = 1e-30
LOG_SMALLEST = -80.0
"""What is far less likely than the likeliest by this is left out of a sum of strata."""


def clopper_pearson(failures: int, requests: int, confidence: float = 0.95) -> Bounds | None:
    """The exact two-sided interval of a failure rate; None of an empty sample."""
    if requests <= 0:
        return None
    from scipy import special

    tail = (1 - confidence) / 2
    low = special.betaincinv(failures, requests - failures + 1, tail) if failures else 0.0
    high = special.betaincinv(failures + 1, requests - failures, 1 - tail) if failures < requests else 1.0
    return float(low), float(high)


def fisher_worse(canary: tuple[int, int], baseline: tuple[int, int]) -> float | None:
    """The chance of a canary at least this bad if both arms fail alike: Fisher's exact test, one-sided.

    An arm is (failures, requests). None if an arm is empty.
    """
    import numpy as np

    (failures, requests), (others, other_requests) = canary, baseline
    if requests <= 0 or other_requests <= 0:
        return None
    drawn = np.arange(failures, min(requests, failures + others) + 1)
    return float(min(1.0, np.exp(_log_chances(drawn, requests, failures + others, requests + other_requests)).sum()))


Arm = tuple[int, int]


def fisher_worse_in_all(strata: Iterable[tuple[Arm, Arm]]) -> float | None:
    """The chance of a canary at least this bad over all strata if both arms fail alike within each; exact, one-sided.

    A stratum is (canary, baseline), an arm (failures, requests). Strata with an empty arm tell nothing, nor do those
    without failures; None if all have an empty arm. Chances under 1e-30 are cut off.
    """
    import numpy as np

    full = [(canary, baseline) for canary, baseline in strata if canary[1] > 0 and baseline[1] > 0]
    telling = [(canary, baseline) for canary, baseline in full if canary[0] + baseline[0]]
    if len(telling) < 2:
        return fisher_worse(*telling[0]) if telling else (1.0 if full else None)
    least, chances = 0, np.ones(1)
    for (failures, requests), (others, other_requests) in telling:
        failed, total = failures + others, requests + other_requests
        drawn = np.arange(max(0, failed - other_requests), min(requests, failed) + 1)
        logs = _log_chances(drawn, requests, failed, total)
        likely = np.flatnonzero(logs > logs.max() + LOG_SMALLEST)
        least += int(drawn[likely[0]])
        chances = np.convolve(chances, np.exp(logs[likely[0] : likely[-1] + 1]))
    seen = sum(canary[0] for canary, _ in telling)
    return float(min(1.0, max(chances[max(0, seen - least) :].sum(), SMALLEST)))


def quantile_ranks(q: float, size: int, confidence: float) -> tuple[int | None, int | None]:
    """Between which ranks, from 1 on, of a sorted sample the quantile `q` lies: exact, from the binomial distribution.

    Each side holds with the given confidence alone; None where the sample is too small for one. The largest of fewer
    than 528 values is no bound of their 99th percentile.
    """
    from scipy import special

    def chance(rank: int) -> float:
        """That fewer than `rank` values lie below the quantile."""
        return float(special.bdtr(rank - 1, size, q))

    ranks = range(1, size + 1)
    low = bisect_right(ranks, 1 - confidence, key=chance)
    high = bisect_left(ranks, confidence, key=chance) + 1
    return low or None, high if high <= size else None


def poisson_at_least(count: int, mean: float) -> float:
    """The chance of `count` or more events where `mean` are to be expected."""
    if count <= 0:
        return 1.0
    from scipy import special

    return float(special.gammainc(count, mean)) if mean > 0 else 0.0


def poisson_mean_for(count: int, chance: float) -> float:
    """The mean at which `count` or more events come with this `chance`."""
    from scipy import special

    return float(special.gammaincinv(count, chance)) if count > 0 else 0.0


def _log_chances(
    drawn: "np.typing.NDArray[np.int64]", requests: int, failed: int, total: int
) -> "np.typing.NDArray[np.float64]":
    """The logarithms of the chances that so many of the failures fell on the canary."""
    return _log_choose(failed, drawn) + _log_choose(total - failed, requests - drawn) - _log_choose(total, requests)


def _log_choose(of: int, picked: "np.typing.NDArray[np.int64] | int") -> "np.typing.NDArray[np.float64]":
    import numpy as np
    from scipy import special

    # An impossible draw has no ways: its logarithm is -inf because gammaln has a pole at 0, -1, ...
    ways: np.typing.NDArray[np.float64] = (
        special.gammaln(of + 1) - special.gammaln(np.add(picked, 1)) - special.gammaln(np.subtract(of + 1, picked))
    )
    return ways
