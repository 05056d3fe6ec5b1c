"""Whether the canary is slower than the baseline, by how much, and what it may not exceed."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.experiment.types import LatencyObjective
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import Requests
from harness.core.timeline.histogram import Bins, bin_of, count_above, merge, quantile_s, quantiles_s, size_of
from harness.core.timeline.stats import fisher_worse, quantile_ranks
from harness.core.verdict.evidence import count, failed
from harness.core.verdict.types import LatencyFacts

Q = 0.99
CONFIDENCE = 0.995
"""Of each side of an interval: a canary no slower than what is borne is called harm once in 200 times at the most."""
FEWEST = 20
"""Answers of an arm below which its latency tells nothing."""
RATIO = 1.5
DIFFERENCE_S = 0.05
"""Without an objective, this many times slower, and by so much, is harm: less is what cold starts and noise do."""


class Limit(Struct, frozen=True):
    """What the canary's 99th percentile may not surely exceed, in seconds and in words.

    `of_baseline` says whether it is taken from what the baseline was measured to do, and not simply asked for.
    """

    limit_s: float
    words: str
    of_baseline: bool = True


class Compared(Struct, frozen=True):
    """The 99th percentile of both arms over the same time, each with its exact interval, in seconds.

    `slow` and `usual` are all latencies of the canary and of the baseline.
    """

    canary: Bounds
    baseline: Bounds
    canary_s: float
    baseline_s: float
    slow: Bins
    usual: Bins

    @property
    def ratio(self) -> Bounds:
        """How many times slower the canary was, at the least and at the most."""
        least = self.canary[0] / self.baseline[1] if self.baseline[1] else 1.0
        return least, self.canary[1] / self.baseline[0] if self.baseline[0] else float("inf")

    def exceeds(self, limit: Limit) -> bool:
        """Whether the canary is surely slower than that."""
        # What is in the limit's own bin is not known to be beyond it.
        is_beyond = bin_of(self.canary[0]) > bin_of(limit.limit_s)
        return is_beyond and (not limit.of_baseline or self._is_more_often_beyond(limit.limit_s))

    def _is_more_often_beyond(self, limit_s: float) -> bool:
        """Whether the canary, more often than the baseline, surely takes longer than that.

        The 99th percentile of a small sample is its largest value, and may be far below the true one: a larger arm of
        the same latencies would seem slower.
        """
        slow, usual = ((count_above(arm, limit_s), size_of(arm)) for arm in (self.slow, self.usual))
        chance = fisher_worse(slow, usual)
        return chance is not None and chance < 1 - CONFIDENCE

    @property
    def facts(self) -> LatencyFacts:
        """The same as the verdict tells it."""
        return LatencyFacts(
            canary_p99_ms=_ms(self.canary),
            baseline_p99_ms=_ms(self.baseline),
            ratio=self.ratio if self.baseline[0] else None,
        )


def compared(canary: Sequence[Requests], baseline: Sequence[Requests], *, fewest: int = FEWEST) -> Compared | None:
    """Both arms' latencies; None where one of them gave fewer answers than that."""
    of_canary, of_baseline = answered_well(canary), answered_well(baseline)
    if min(count(of_canary), count(of_baseline)) < fewest:
        return None
    slow, usual = (merge(seen.latency for seen in arm) for arm in (of_canary, of_baseline))
    (low, canary_s, high), (least, baseline_s, most) = _p99(slow), _p99(usual)
    return Compared((low, high), (least, most), canary_s, baseline_s, slow, usual)


def limit_exceeded(arms: Compared | None, objective: LatencyObjective | None) -> Limit | None:
    """What the canary's latency surely exceeds, of what is borne; None where nothing, or it was not measured."""
    if arms is None:
        return None
    return next((limit for limit in _limits(arms, objective) if arms.exceeds(limit)), None)


def _limits(arms: Compared, objective: LatencyObjective | None) -> Iterator[Limit]:
    if objective is None:
        limit_s = max(RATIO * arms.baseline_s, arms.baseline_s + DIFFERENCE_S)
        yield Limit(limit_s, f"more than {RATIO:g} times and {DIFFERENCE_S * 1000:.0f} ms slower is harm")
        return
    if objective.p99_s is not None:
        words = f"the objective is a 99th percentile of {objective.p99_s * 1000:.0f} ms"
        yield Limit(objective.p99_s, words, of_baseline=False)
    if objective.ratio is not None:
        words = f"the objective is at most {objective.ratio:g} times the baseline's"
        yield Limit(objective.ratio * arms.baseline[1], words)


def slower_in_words(arms: Compared) -> str:
    """By how much the canary was slower."""
    low, high = (f"{bound * 1000:.0f}" for bound in arms.canary)
    least, most = arms.ratio
    return (
        f"the canary's 99th percentile of latency was {arms.canary_s * 1000:.0f} ms ({low} to {high} ms), the "
        f"baseline's {arms.baseline_s * 1000:.0f} ms over the same time, {least:.3g} to {most:.3g} times"
    )


def answered_well(requests: Sequence[Requests]) -> list[Requests]:
    """Good requests that were answered well: a failure takes as long as it takes to fail, and is harm by itself."""
    return [seen for seen in requests if seen.intent == "good" and seen.answered and not failed(seen)]


def _p99(latency: Bins) -> tuple[float, float, float]:
    """The least that it surely is, what was measured, and the most."""
    least_s, most_s = interval_s(latency, Q) or (0.0, 0.0)
    return least_s, quantile_s(latency, Q) or 0.0, most_s


def interval_s(latency: Bins, q: float) -> Bounds | None:
    """The exact interval of a quantile, between two of the latencies themselves; None where there are none."""
    size = size_of(latency)
    if not size:
        return None
    # Half a rank below the rank itself, so that no rounding leads to the next one.
    low, high = ((rank - 0.5) / size for rank in quantile_ranks(q, size, CONFIDENCE))
    least_s, most_s = (second or 0.0 for second in quantiles_s(latency, (low, high)))
    return least_s, most_s


def _ms(bounds: Bounds) -> Bounds:
    return bounds[0] * 1000, bounds[1] * 1000
