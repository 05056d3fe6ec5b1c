"""What the page shows of one run: the timeline as it grows, kept so small that it can be judged again each second."""

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from harness.core.alarm import Rule, counted_by_period, rule_of
from harness.core.condense import Condensed
from harness.core.experiment import Experiment
from harness.core.judge import judge
from harness.core.rollout import Rollout
from harness.core.timeline import (
    Arrivals,
    Event,
    FaultEnded,
    FaultStarted,
    LookFailed,
    MetricSeen,
    Requests,
)
from harness.core.verdict import Verdict
from harness.report.story import Line, Teller

LINES = 300
"""Lines of the story that are kept; a mark on the chart is one of them."""
MOST_BUCKETS = 240
_WIDTHS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)

Points = tuple[tuple[float, float], ...]


class Chart(Struct, frozen=True, kw_only=True):
    """Requests over time, in buckets of `bucket_s` seconds from `from_s` on; rates are per second of experiment time.

    `planned` and `failed` are starts planned and requests failed, `fault` those meant to fail; a bucket in which
    nothing was recorded is None. `weight` is (instant, share) for each change.
    """

    from_s: float
    bucket_s: float
    planned: tuple[float | None, ...]
    answered: tuple[float | None, ...]
    failed: tuple[float | None, ...]
    fault: tuple[float | None, ...]
    weight: Points


class Judged(Struct, frozen=True):
    """The verdict on a run so far, and by alarm the failures that clients saw in each of its periods."""

    verdict: Verdict
    seen: dict[str, Points]


class _Second:
    __slots__ = ("answered", "failed", "fault", "planned")

    def __init__(self) -> None:
        self.planned = self.answered = self.failed = self.fault = 0


class Chronicle:
    """Hears every event of a run, with the rollout that it led to."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.rollout = Rollout()
        self.lines: deque[Line] = deque(maxlen=LINES)
        self.faults: dict[str, FaultStarted] = {}
        self.last_failed: LookFailed | None = None
        self.metrics: dict[tuple[str, str | None], dict[float, float]] = {}
        self.changes = 0
        self._teller = Teller()
        self._condensed = Condensed()
        self._seconds: dict[int, _Second] = {}
        self._weight: list[tuple[float, float]] = []

    def hear(self, event: Event, rollout: Rollout) -> None:
        """Takes notice of the next event."""
        self._condensed.add(event)
        if isinstance(event, Requests | Arrivals):
            self._count(event)
            return
        self._learn(event)
        lines = self._teller.tell(event, rollout)
        self.rollout = rollout
        if lines:
            self.lines.extend(lines)
            self.changes += 1
        if rollout.weight is not None and (not self._weight or self._weight[-1][1] != rollout.weight):
            self._weight.append((event.at_s, rollout.weight))

    def question(self) -> "Question":
        """What is known by now, to be judged wherever there is time for it."""
        return Question(self.experiment, self._condensed.events(), self.rollout)

    def chart(self) -> Chart:
        """Requests and weight over the whole run."""
        if not self._seconds:
            return Chart(
                from_s=0.0, bucket_s=1.0, planned=(), answered=(), failed=(), fault=(), weight=tuple(self._weight)
            )
        first, last = min(self._seconds), max(self._seconds)
        width = next((w for w in _WIDTHS_S if (last + 1 - first) <= w * MOST_BUCKETS), _WIDTHS_S[-1])
        first -= first % width
        buckets: list[_Second | None] = [None] * ((last - first) // width + 1)
        for second, counts in self._seconds.items():
            _add(buckets, (second - first) // width, counts)
        return Chart(
            from_s=float(first),
            bucket_s=float(width),
            planned=tuple(None if b is None else b.planned / width for b in buckets),
            answered=tuple(None if b is None else b.answered / width for b in buckets),
            failed=tuple(None if b is None else b.failed / width for b in buckets),
            fault=tuple(None if b is None else b.fault / width for b in buckets),
            weight=tuple(self._weight),
        )

    def _learn(self, event: Event) -> None:
        if isinstance(event, FaultStarted):
            self.faults[event.fault] = event
        elif isinstance(event, FaultEnded):
            self.faults.pop(event.fault, None)
        elif isinstance(event, LookFailed):
            self.last_failed = event
        elif isinstance(event, MetricSeen):
            self.metrics.setdefault((event.metric, event.version), {}).update(event.points)

    def _count(self, event: Requests | Arrivals) -> None:
        counts = self._seconds.get(int(event.at_s))
        if counts is None:
            counts = self._seconds[int(event.at_s)] = _Second()
        if isinstance(event, Arrivals):
            counts.planned += event.planned
            return
        counts.answered += event.count
        counts.failed += event.count if event.outcome == "failed" else 0
        counts.fault += event.count if event.intent == "fault" else 0


def _add(buckets: list[_Second | None], index: int, counts: _Second) -> None:
    bucket = buckets[index]
    if bucket is None:
        bucket = buckets[index] = _Second()
    for field in _Second.__slots__:
        setattr(bucket, field, getattr(bucket, field) + getattr(counts, field))


class Question(Struct, frozen=True):
    """A run as it was at one moment; `answer` is pure and slow enough to be asked for in a thread of its own."""

    experiment: Experiment
    events: Sequence[Event]
    rollout: Rollout

    def answer(self) -> Judged:
        """The verdict so far, by the one way of judging."""
        defined = (self.rollout.definitions.get(name) for name in self.rollout.alarm_names)
        rules = [rule for rule in (rule_of(one) for one in defined if one) if rule and rule.name]
        return Judged(judge(self.experiment, self.events), {str(rule.name): self._counted(rule) for rule in rules})

    def _counted(self, rule: Rule) -> Points:
        requests = (event for event in self.events if isinstance(event, Requests))
        return tuple(counted_by_period(rule, requests, self.rollout.epoch_s).items())
