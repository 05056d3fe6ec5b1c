"""Whether the canary is slower than the baseline, by how much, and what it may not exceed."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.experiment.types import LatencyObjective
from harness.core.timeline.bounds import Interval, interval_in_words
from harness.core.timeline.events import Requests
from harness.core.timeline.histogram import Bins, bin_of, count_above, merge, quantile_s, size_of
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

    `slow` and `usual` are all latencies of the canary and of the baseline; `chance` is how often a limit may be called
    exceeded that is not, and `is_part` says that these are the answers to one request of several.
    """

    canary: Interval
    baseline: Interval
    canary_s: float
    baseline_s: float
    slow: Bins
    usual: Bins
    chance: float = 1 - CONFIDENCE
    is_part: bool = False

    @property
    def ratio(self) -> Interval | None:
        """How many times slower the canary was, at the least and at the most.

        None of a baseline that took no time, or whose answers are too few for an upper bound.
        """
        if not self.baseline[0] or self.baseline[1] is None:
            return None
        return self.canary[0] / self.baseline[1], self.canary[1] and self.canary[1] / self.baseline[0]

    @property
    def baseline_most_s(self) -> float:
        """The upper bound of the baseline; its largest latency where there is none.

        That may be less than the true percentile, so that the share of answers beyond a limit has to decide.
        """
        return self.baseline[1] or quantile_s(self.usual, 1.0) or 0.0

    def exceeds(self, limit: Limit) -> bool:
        """Whether the canary is surely slower than that."""
        return misses(self.canary, limit.limit_s) and (
            not limit.of_baseline or self._is_more_often_beyond(limit.limit_s)
        )

    def _is_more_often_beyond(self, limit_s: float) -> bool:
        """Whether the canary, more often than the baseline, surely takes longer than that.

        The 99th percentile of a small sample is its largest value, and may be far below the true one: a larger arm of
        the same latencies would seem slower.
        """
        slow, usual = ((count_above(arm, limit_s), size_of(arm)) for arm in (self.slow, self.usual))
        chance = fisher_worse(slow, usual)
        return chance is not None and chance < self.chance

    @property
    def facts(self) -> LatencyFacts:
        """The same as the verdict tells it."""
        return LatencyFacts(
            canary_p99_ms=_ms(self.canary),
            baseline_p99_ms=_ms(self.baseline),
            ratio=self.ratio,
        )


def compared(
    canary: Sequence[Requests], baseline: Sequence[Requests], *, fewest: int = FEWEST, names: int | None = None
) -> Compared | None:
    """Both arms' latencies; None where one of them gave fewer answers than that.

    Of several request `names` that are compared one by one, each gets its part of the chance of a wrong word
    (Bonferroni).
    """
    of_canary, of_baseline = answered_well(canary), answered_well(baseline)
    if min(count(of_canary), count(of_baseline)) < fewest:
        return None
    chance = (1 - CONFIDENCE) / (names or 1)
    slow, usual = (merge(seen.latency for seen in arm) for arm in (of_canary, of_baseline))
    (of_slow, canary_s), (of_usual, baseline_s) = _p99(slow, 1 - chance), _p99(usual, 1 - chance)
    return Compared(of_slow, of_usual, canary_s, baseline_s, slow, usual, chance, names is not None)


def limit_exceeded(arms: Compared | None, objective: LatencyObjective | None) -> Limit | None:
    """What the canary's latency surely exceeds, of what is borne; None where nothing, or it was not measured."""
    if arms is None:
        return None
    return next((limit for limit in _limits(arms, objective) if arms.exceeds(limit)), None)


def _limits(arms: Compared, objective: LatencyObjective | None) -> Iterator[Limit]:
    if objective is None:
        yield _worse(arms)
        return
    if objective.p99_s is not None:
        words = f"the objective is a 99th percentile of client latency of {objective.p99_s * 1000:.0f} ms"
        worse = _worse(arms)
        if arms.is_part or misses(arms.baseline, objective.p99_s):
            # The objective is one for all requests, and a service that misses it anyway is not the canary's fault.
            yield Limit(max(objective.p99_s, worse.limit_s), f"{words}, and {worse.words}")
        else:
            yield Limit(objective.p99_s, words, of_baseline=False)
    if objective.ratio is not None:
        words = f"the objective is at most {objective.ratio:g} times the baseline's"
        yield Limit(objective.ratio * arms.baseline_most_s, words)


def _worse(arms: Compared) -> Limit:
    limit_s = max(RATIO * arms.baseline_s, arms.baseline_s + DIFFERENCE_S)
    return Limit(limit_s, f"more than {RATIO:g} times and {DIFFERENCE_S * 1000:.0f} ms slower is harm")


def misses(arm: Interval, limit_s: float) -> bool:
    """Whether an arm's 99th percentile is surely beyond a limit; what is in the limit's own bin is not known to be."""
    return bin_of(arm[0]) > bin_of(limit_s)


def slower_in_words(arms: Compared, name: str | None = None) -> str:
    """By how much the canary was slower, in all its answers or in those to one request."""
    return (
        f"the canary's 99th percentile of client latency {f'of {name} ' if name else ''}was "
        f"{arms.canary_s * 1000:.0f} ms ({interval_in_words(_ms(arms.canary))} ms), the baseline's "
        f"{arms.baseline_s * 1000:.0f} ms over the same time{times_in_words(arms)}"
    )


def times_in_words(arms: Compared) -> str:
    """How many times slower the canary was, or why that is not known."""
    if arms.ratio:
        return f", {interval_in_words(arms.ratio)} times as much"
    few = size_of(arms.usual)
    return f" ({few} answers, too few for an upper bound)" if arms.baseline[1] is None else ""


def answered_well(requests: Sequence[Requests]) -> list[Requests]:
    """Good requests that were answered well: a failure takes as long as it takes to fail, and is harm by itself."""
    return [seen for seen in requests if seen.intent == "good" and seen.answered and not failed(seen)]


def _p99(latency: Bins, confidence: float) -> tuple[Interval, float]:
    """What it surely is, and what was measured."""
    return interval_s(latency, Q, confidence) or (0.0, None), quantile_s(latency, Q) or 0.0


def interval_s(latency: Bins, q: float, confidence: float = CONFIDENCE) -> Interval | None:
    """The exact interval of a quantile, between two of the latencies themselves; None where there are none.

    No lower bound but zero, and no upper one, where the latencies are too few for it.
    """
    size = size_of(latency)
    if not size:
        return None
    low, high = quantile_ranks(q, size, confidence)
    # Half a rank below the rank itself, so that no rounding leads to the next one.
    least_s, most_s = (rank and quantile_s(latency, (rank - 0.5) / size) for rank in (low, high))
    return least_s or 0.0, most_s


def _ms(interval: Interval) -> Interval:
    least_s, most_s = interval
    return least_s * 1000, None if most_s is None else most_s * 1000
