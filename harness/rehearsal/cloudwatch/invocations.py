"""The metrics of AWS/Lambda: published for a minute at a time, 10 to 20 seconds late."""

import random
import threading
from collections.abc import Iterator
from typing import NamedTuple

from harness.core.delays import METRIC_DELAY_S
from harness.rehearsal.cloudwatch.bucket import Bucket, counted
from harness.rehearsal.cloudwatch.store import MINUTE_S, Metric, MetricStore

NAMESPACE = "AWS/Lambda"

Dimensions = tuple[tuple[str, str], ...]
_Invoked = tuple[str, str | None, str | None]


class Underway(NamedTuple):
    """The runs under way when one began, itself among them: of its function, its alias, and its version behind it."""

    function: int
    alias: int
    version: int


ALONE = Underway(1, 1, 1)


class _MinuteCounts:
    """The invocations of one function by one alias on one version in one minute."""

    __slots__ = ("durations", "errors", "throttles", "underway")

    def __init__(self) -> None:
        self.durations = Bucket()
        self.underway: dict[Underway, int] = {}
        self.errors = 0
        self.throttles = 0

    def metrics(self, level: int) -> Iterator[tuple[str, str, Bucket]]:
        """Name, unit and samples of each metric; one that has no samples is not emitted.

        `level` is the field of `Underway` that counts for the dimension set.
        """
        invocations = self.durations.count
        if invocations:
            yield "Invocations", "Count", counted(ones=invocations, zeros=0)
            yield "Errors", "Count", counted(ones=self.errors, zeros=invocations - self.errors)
            yield "Duration", "Milliseconds", self.durations
            yield "ConcurrentExecutions", "Count", self._concurrency(level)
        yield "Throttles", "Count", counted(ones=self.throttles, zeros=invocations)

    def _concurrency(self, level: int) -> Bucket:
        """The runs under way each time that one began, at a level of `Underway`."""
        bucket = Bucket()
        if alone := self.durations.count - sum(self.underway.values()):
            bucket.add(1.0, alone)
        for underway, times in self.underway.items():
            bucket.add(float(underway[level]), times)
        return bucket


class InvocationMetrics:
    """Counts what functions do, and publishes each minute when it is due.

    The delay is `delay_s`, or drawn once from the seed: one that differed by the minute would let an alarm find two new
    minutes at one evaluation and none at the next, and judge only the newer one.

    Threads may call `record` and `record_throttle` at any rate: it costs a dictionary look-up under a lock of its own.
    A minute is the one in which an invocation started, as on AWS, however long it took. What is recorded after its
    minute was published follows at once.
    """

    def __init__(self, seed: int, delay_s: float | None = None) -> None:
        drawn_s = random.Random(seed).uniform(*METRIC_DELAY_S)
        self._delay_s = drawn_s if delay_s is None else delay_s
        self._lock = threading.Lock()
        self._minutes: dict[int, dict[_Invoked, _MinuteCounts]] = {}

    def record(
        self,
        function: str,
        alias: str | None,
        version: str,
        started_s: float,
        duration_ms: float,
        *,
        failed: bool,
        underway: Underway = ALONE,
    ) -> None:
        """Counts one invocation; `failed` is an error in Lambda's sense: an exception, a timeout, a crash.

        `underway` is how many there were when it began, itself among them.
        """
        with self._lock:
            tally = self._tally(int(started_s // MINUTE_S), (function, alias, version))
            tally.durations.add(duration_ms)
            if underway is not ALONE:
                tally.underway[underway] = tally.underway.get(underway, 0) + 1
            if failed:
                tally.errors += 1

    def record_throttle(self, function: str, alias: str | None, started_s: float) -> None:
        """Counts one invocation that was throttled; it counts as neither invocation nor error."""
        with self._lock:
            self._tally(int(started_s // MINUTE_S), (function, alias, None)).throttles += 1

    def visible_at(self, minute: int) -> float:
        """When the data of a minute (counted since 1970) can be read."""
        return (minute + 1) * MINUTE_S + self._delay_s

    def publish(self, store: MetricStore, now_s: float) -> None:
        """Moves what is visible by `now_s` to the store, in each of its dimension sets."""
        for minute, tallies in self._due(now_s):
            for invoked, tally in tallies.items():
                for dimensions, level in dimension_sets(*invoked):
                    for name, unit, bucket in tally.metrics(level):
                        store.add(Metric(NAMESPACE, name, dimensions), unit, minute * MINUTE_S, bucket)

    def _tally(self, minute: int, invoked: _Invoked) -> _MinuteCounts:
        tallies = self._minutes.get(minute)
        if tallies is None:
            tallies = self._minutes[minute] = {}
        tally = tallies.get(invoked)
        if tally is None:
            tally = tallies[invoked] = _MinuteCounts()
        return tally

    def _due(self, now_s: float) -> list[tuple[int, dict[_Invoked, _MinuteCounts]]]:
        with self._lock:
            due = sorted(minute for minute in self._minutes if self.visible_at(minute) <= now_s)
            return [(minute, self._minutes.pop(minute)) for minute in due]


def dimension_sets(function: str, alias: str | None, version: str | None) -> Iterator[tuple[Dimensions, int]]:
    """The dimension sets that one invocation counts in, each with its level: the field of `Underway` that counts there.

    Dimensions are sorted by name; a throttle has no version. Assumption: the version behind an alias counts as
    ExecutedVersion alone, and does so without weights too.
    """
    of_function = ("FunctionName", function)
    yield (), 0
    yield (of_function,), 0
    if alias:
        yield (of_function, ("Resource", f"{function}:{alias}")), 1
        if version:
            yield (("ExecutedVersion", version), of_function, ("Resource", f"{function}:{alias}")), 2
    elif version:
        yield (of_function, ("Resource", f"{function}:{version}")), 2
