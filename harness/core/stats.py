"""Exact statistics of small and large samples, from special functions alone: scipy.stats takes seconds to import."""

import numpy as np
from scipy import special

from harness.core.verdict import Bounds


def clopper_pearson(failures: int, requests: int, confidence: float = 0.95) -> Bounds | None:
    """The exact two-sided interval of a failure rate; None of an empty sample."""
    if requests <= 0:
        return None
    tail = (1 - confidence) / 2
    low = special.betaincinv(failures, requests - failures + 1, tail) if failures else 0.0
    high = special.betaincinv(failures + 1, requests - failures, 1 - tail) if failures < requests else 1.0
    return float(low), float(high)


def fisher_worse(canary: tuple[int, int], baseline: tuple[int, int]) -> float | None:
    """The chance of a canary at least this bad if both arms fail alike: Fisher's exact test, one-sided.

    An arm is (failures, requests). None if an arm is empty.
    """
    (failures, requests), (others, other_requests) = canary, baseline
    if requests <= 0 or other_requests <= 0:
        return None
    failed, total = failures + others, requests + other_requests
    drawn = np.arange(failures, min(requests, failed) + 1)
    ways = _log_choose(failed, drawn) + _log_choose(total - failed, requests - drawn) - _log_choose(total, requests)
    return float(min(1.0, np.exp(ways).sum()))


def poisson_at_least(count: int, mean: float) -> float:
    """The chance of `count` or more events where `mean` are to be expected."""
    if count <= 0:
        return 1.0
    return float(special.gammainc(count, mean)) if mean > 0 else 0.0


def poisson_mean_for(count: int, chance: float) -> float:
    """The mean at which `count` or more events come with this `chance`."""
    return float(special.gammaincinv(count, chance)) if count > 0 else 0.0


def _log_choose(of: int, picked: "np.typing.NDArray[np.int64] | int") -> "np.typing.NDArray[np.float64]":
    # An impossible draw has no ways: its logarithm is -inf because gammaln has a pole at 0, -1, ...
    ways: np.typing.NDArray[np.float64] = (
        special.gammaln(of + 1) - special.gammaln(np.add(picked, 1)) - special.gammaln(np.subtract(of + 1, picked))
    )
    return ways
