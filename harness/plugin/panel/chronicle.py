"""What the page knows of one run: its timeline as it grows, so condensed that it can be judged again each second."""

from collections import Counter, deque
from collections.abc import Sequence

from msgspec import Struct

from harness.core.experiment.types import Experiment
from harness.core.timeline.alarm_rules import Rule, counted_by_period, rule_of
from harness.core.timeline.condense import Condensed
from harness.core.timeline.events import (
    Arrivals,
    Event,
    FaultEnded,
    FaultStarted,
    Intent,
    LookFailed,
    MetricSeen,
    Requests,
)
from harness.core.timeline.rollout import Rollout, replay
from harness.core.verdict.evidence import Evidence, evidence_of, failed
from harness.core.verdict.guards import as_answered
from harness.core.verdict.judge import judge_sorted
from harness.core.verdict.types import Verdict
from harness.core.verdict.whose import whose_of
from harness.report.story import StoryLine, Teller

LINES = 300
"""Lines of the story that are kept; the marks on the chart come from them, too."""
MOST_BUCKETS = 240

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


class _Counts:
    __slots__ = ("answered", "failed", "fault", "planned")

    def __init__(self) -> None:
        self.planned = self.answered = self.failed = self.fault = 0

    def add(self, other: "_Counts") -> None:
        self.planned += other.planned
        self.answered += other.answered
        self.failed += other.failed
        self.fault += other.fault


class _AnsweredBy:
    """Which group of the run answered a request, as far as its name or the function that its answer names tells.

    Versions say more only once looks have shown them: by them, counters would change their labels while the run lasts.
    """

    def __init__(self, experiment: Experiment) -> None:
        groups = (experiment.deployment.group, *(also.group for also in experiment.also))
        self._views = [*zip(groups, whose_of(experiment, ()), strict=True)]
        self._known: dict[tuple[str, str | None], tuple[str | None, str | None]] = {}

    def of(self, endpoint: str, version: str | None) -> tuple[str | None, str | None]:
        """The group, None where that is not known, and the version."""
        key = endpoint, version
        if key not in self._known:
            told = ((group, *whose.of(*key)) for group, whose in self._views)
            own = ((group, number) for group, belongs, number in told if belongs == "own")
            self._known[key] = next(own, (None, version))
        return self._known[key]


class Chronicle:
    """Hears every event of a run, with the rollout that it led to."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.rollout = Rollout()
        self.lines: deque[StoryLine] = deque(maxlen=LINES)
        self.faults: dict[str, FaultStarted] = {}
        self.last_failed: LookFailed | None = None
        self.metrics: dict[tuple[str, str | None], dict[float, float]] = {}
        self.answers: Counter[tuple[Intent, str | None, str | None, bool]] = Counter()
        """Requests by intent, deployment group, version, and whether they failed."""
        self._answered_by = _AnsweredBy(experiment)
        self.changes = 0
        self._teller = Teller()
        self._condensed = Condensed()
        self._bucket_s = 1
        self._buckets: dict[int, _Counts] = {}
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
        if rollout.release.weight is not None and (not self._weight or self._weight[-1][1] != rollout.release.weight):
            self._weight.append((event.at_s, rollout.release.weight))

    def so_far(self) -> "RunSoFar":
        """The run as it is now, to be judged where there is time for it."""
        return RunSoFar(self.experiment, self._condensed.events(), self.rollout)

    def chart(self) -> Chart:
        """Requests and weight over the whole run."""
        first, last = min(self._buckets, default=0), max(self._buckets, default=-1)
        buckets = [self._buckets.get(index) for index in range(first, last + 1)]
        width = self._bucket_s
        return Chart(
            from_s=float(first * width),
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
        counts = self._bucket(int(event.at_s))
        if isinstance(event, Arrivals):
            counts.planned += event.planned
            return
        group, version = self._answered_by.of(event.endpoint, event.version)
        self.answers[event.intent, group, version, failed(event)] += event.count
        counts.answered += event.count
        counts.failed += event.count if failed(event) else 0
        counts.fault += event.count if event.intent == "fault" else 0

    def _bucket(self, second: int) -> _Counts:
        """The counts of a second's bucket; all get twice as wide where they would be too many."""
        index = second // self._bucket_s
        if index not in self._buckets:
            while self._buckets and self._span(index) > MOST_BUCKETS:
                self._widen()
                index = second // self._bucket_s
            self._buckets.setdefault(index, _Counts())
        return self._buckets[index]

    def _span(self, index: int) -> int:
        return max(index, *self._buckets) - min(index, *self._buckets) + 1

    def _widen(self) -> None:
        narrow, self._buckets = self._buckets, {}
        self._bucket_s *= 2
        for index, counts in narrow.items():
            self._buckets.setdefault(index // 2, _Counts()).add(counts)


class RunSoFar(Struct, frozen=True):
    """A run as it was at one moment."""

    experiment: Experiment
    events: Sequence[Event]
    rollout: Rollout

    def judged(self) -> Judged:
        """The verdict so far, by the one way of judging. Pure, and slow enough for a thread of its own."""
        defined = (self.rollout.alarms.definitions.get(name) for name in self.rollout.alarm_names)
        rules = [rule for rule in (rule_of(one) for one in defined if one) if rule and rule.name]
        evidence = evidence_of(self.experiment, self.events, replay(self.events))
        seen = {str(rule.name): self._counted(as_answered(rule, evidence), evidence) for rule in rules}
        return Judged(judge_sorted(evidence, self.events), seen)

    def _counted(self, rule: Rule, evidence: Evidence) -> Points:
        """Failures of the group's own requests by the start of the period, in seconds since the run began."""
        epoch_s = self.rollout.run.aws_epoch_s
        periods = counted_by_period(rule, evidence.own(evidence.requests), epoch_s)
        return tuple((number * rule.period_s - epoch_s, failures) for number, (failures, _) in sorted(periods.items()))
