"""What the chances of a release depend on, as types: traffic, fault, alarms, shifts and delays.

Instants count from the begin of AllowTraffic, so that the deployment's creation lies a few seconds before 0.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import msgspec
from msgspec import Struct

from harness.core.delays import COMPOSITE_LAG_S, FIRST_ALARM_LOOK_S, FORWARD, METRIC_DELAY_S, STOP_DELAY_S, Range
from harness.core.experiment.types import Arrivals, Pattern
from harness.core.timeline.alarm_evaluation import MINUTE_S, Condition
from harness.core.timeline.alarm_rules import LATENCY_METRICS, Rule
from harness.core.timeline.composites import ChildIs, StateRule
from harness.core.timeline.events import ConfigSeen
from harness.core.timeline.steps import shifting_s, weight_after

Counted = Literal["all", "canary", "baseline", "nothing"]
"""Whose requests an alarm counts."""
FaultKind = Literal["share", "endpoint", "latency", "ramp", "intermittent"]

UNHANDLED_STATUS = 502
LOW_SAMPLE_SHARES: Mapping[str, float] = {"Maximum": 0.0, "Minimum": 1.0}


def middle(span: Range) -> float:
    """The mean of what is drawn evenly from a span."""
    return sum(span) / 2


CREATION_S = -sum(map(middle, (FORWARD.start_s, FORWARD.gap_s, FORWARD.event_s, FORWARD.gap_s, FORWARD.created_s)))
"""When a deployment without hooks is created, on average."""
FIRST_LOOK_S = CREATION_S + middle(FORWARD.created_s) + middle(FIRST_ALARM_LOOK_S)
"""When CodeDeploy looks at the alarms for the first time, on average."""
FIRST_SHIFT_S = middle(FORWARD.first_shift_s)
"""When the canary gets its first traffic, on average."""
ENDS_AFTER_S = sum(map(middle, (FORWARD.gap_s, FORWARD.event_s, FORWARD.end_s)))
"""From the last shift to the status Succeeded, on average, without hooks."""


class FaultModel(Struct, frozen=True, kw_only=True):
    """How the canary fails, from `at_s` after its first traffic on, for `for_s`, else to the end.

    - `share`: this share of its requests.
    - `endpoint`: this share of the requests to one endpoint, which takes `of_traffic` of all.
    - `latency`: this share of its requests takes `latency_s`.
    - `ramp`: the share rises in a straight line from 0, and is reached after `ramp_s`.
    - `intermittent`: the share for `on_s` of every `every_s`, beginning anywhere.

    `status` is what clients see of a failed request.
    """

    kind: FaultKind = "share"
    share: float = 1.0
    of_traffic: float = 1.0
    latency_s: float = 0.0
    ramp_s: float = 0.0
    on_s: float = 0.0
    every_s: float = 0.0
    at_s: float = 0.0
    for_s: float | None = None
    status: int = UNHANDLED_STATUS

    def share_at(self, since_s: float, turned_s: float = 0.0) -> float:
        """The share of the canary's requests that fail, or are slow, so long after the fault began.

        `turned_s` is how far an intermittent fault had got into its turn when it began.
        """
        if since_s < 0 or (self.for_s is not None and since_s >= self.for_s):
            return 0.0
        whole = self.share * self.of_traffic
        if self.kind == "ramp":
            return whole * min(1.0, since_s / self.ramp_s) if self.ramp_s else whole
        if self.kind == "intermittent" and self.every_s:
            return whole if (since_s + turned_s) % self.every_s < self.on_s else 0.0
        return whole

    def mean_share_at(self, since_s: float) -> float:
        """The same, whatever turn an intermittent fault is in."""
        if self.kind != "intermittent" or not self.every_s:
            return self.share_at(since_s)
        lasting = msgspec.structs.replace(self, kind="share").share_at(since_s)
        return lasting * min(1.0, self.on_s / self.every_s)


class PlannedShare(Struct, frozen=True):
    """From `from_s` after the deployment's creation until `until_s` this share of all requests is meant to fail."""

    from_s: float
    until_s: float
    share: float


class Delays(Struct, frozen=True, kw_only=True):
    """How long AWS takes; `alarm_s` is from the end of the deciding period to ALARM where an account's is known."""

    metric_s: Range = METRIC_DELAY_S
    alarm_s: Range | None = None
    stop_s: Range = STOP_DELAY_S
    composite_s: float = COMPOSITE_LAG_S


class Watch(Struct, frozen=True, kw_only=True, dict=True):
    """One metric alarm: its rule, and whose requests it counts."""

    name: str
    rule: Rule
    counts: Counted = "all"

    @property
    def condition(self) -> Condition:
        """When it goes to ALARM."""
        return self.rule.condition

    @property
    def minutes(self) -> int:
        """The length of a period in minutes."""
        return max(1, self.condition.period_s // MINUTE_S)

    @cached_property
    def latency(self) -> bool:
        """Whether it compares how long requests take."""
        return any(metric.metric in LATENCY_METRICS for metric in self.rule.metrics)

    @cached_property
    def is_rate(self) -> bool:
        """Whether what breaches depends on the number of requests."""
        return self.latency or self.rule.is_rate

    def feels(self, fault: FaultModel) -> bool:
        """Whether it counts what the fault does to a request."""
        if self.latency:
            return fault.kind == "latency"
        return fault.kind != "latency" and self.rule.counts(fault.status)

    def needed(self, requests: int, slow_s: float = 0.0) -> int | None:
        """The fewest bad requests among so many that make a period breach; None where none do."""
        among = max(1, requests) if self.is_rate else 1
        if (among, slow_s) not in self._needed:
            self._needed[among, slow_s] = (
                slow_needed(self.rule, among, slow_s) if self.latency else self._failures_needed(among)
            )
        return self._needed[among, slow_s]

    def _failures_needed(self, among: int) -> int | None:
        """By the number that was found before: of almost as many requests it is almost the same."""
        if self.rule.breaches_without_failures:
            return 0
        (others, need), *_ = self._last or [(1, 1)]
        found = self.rule.failures_needed(among, near=round(need * among / others))
        if found is not None:
            self._last[:] = [(among, found)]
        return found

    @cached_property
    def _last(self) -> list[tuple[int, int]]:
        return []

    @cached_property
    def _needed(self) -> dict[tuple[int, float], int | None]:
        return {}


def slow_needed(rule: Rule, requests: int, slow_s: float) -> int | None:
    """The fewest slow requests that make a period breach, if all the others take no time. A percentile is as AWS's.

    Assumption: the others are far below the threshold.
    """
    metric = rule.metrics[0]
    value = slow_s * (1.0 if metric.metric == "TargetResponseTime" else 1000.0)
    if requests < 1 or not rule.condition.breached_by(value):
        return None
    statistic = str(metric.statistic)
    if statistic == "Average":
        most = (n for n in range(1, requests + 1) if rule.condition.breached_by(value * n / requests))
        return next(most, None)
    if statistic in LOW_SAMPLE_SHARES:
        return max(1, math.ceil(LOW_SAMPLE_SHARES[statistic] * requests))
    share = float(statistic[1:]) / 100
    return max(1, requests - math.ceil(share * requests) + 1)


class Setting(Struct, frozen=True, kw_only=True, dict=True):
    """One release before it.

    `rate` are (instant, requests per second) from the creation on, the first at any time before it. `guards` are the
    rules by which the group's alarms roll a deployment back, over `watches` by name; `left_out` are the alarms of which
    nobody can say when they do. `usual` is the share of requests that fails on every version; None where nobody said.
    `population` is how many users send the requests, if that is known. `created` are the
    seconds of a minute in which the deployment may be created: any, but in a rehearsal.
    """

    config: ConfigSeen
    watches: tuple[Watch, ...]
    guards: tuple[StateRule, ...]
    left_out: tuple[str, ...] = ()
    rate: tuple[tuple[float, float], ...]
    arrivals: Arrivals = "poisson"
    fault: FaultModel = FaultModel()
    planned: tuple[PlannedShare, ...] = ()
    pattern: Pattern = "even"
    usual: float | None = None
    population: int | None = None
    delays: Delays = Delays()
    created: Range = (0.0, float(MINUTE_S))

    @property
    def span_s(self) -> float:
        """From the begin of AllowTraffic to the last shift, as it is due; 0 where all traffic shifts at once."""
        return shifting_s(self.config) or 0.0

    @property
    def later_shifts(self) -> int:
        """How many shifts come after the first."""
        if not self.span_s or not self.config.interval_s:
            return 0
        return round(self.span_s / self.config.interval_s)

    @cached_property
    def shifts(self) -> tuple[tuple[float, float], ...]:
        """When the canary gets which share of the traffic, on average, if nothing stops the release."""
        if not self.span_s or not self.config.interval_s:
            return ((FIRST_SHIFT_S, 1.0),)
        late_s, last = middle(FORWARD.later_shift_s), self.later_shifts
        due = [(n, n * self.config.interval_s) for n in range(1, last + 1)]
        later = ((at_s + n * late_s, 1.0 if n == last else weight_after(self.config, at_s) or 1.0) for n, at_s in due)
        return ((FIRST_SHIFT_S, weight_after(self.config, 0.0) or 1.0), *later)

    @property
    def last_shift_s(self) -> float:
        """When the last shift comes, on average."""
        return self.shifts[-1][0]

    @property
    def end_s(self) -> float:
        """When the deployment has succeeded, on average."""
        return self.last_shift_s + ENDS_AFTER_S

    def second_s(self, part: float) -> float:
        """The second of a minute at which AllowTraffic begins, so far into the time in which it may, 0 to 1."""
        low_s, high_s = self.created
        return (low_s + part * (high_s - low_s) - CREATION_S) % MINUTE_S

    @property
    def failing_usually(self) -> float:
        """The usual share of failures, none where nobody said."""
        return self.usual or 0.0

    def weight_at(self, at_s: float) -> float:
        """The canary's share of the traffic at an instant, if nothing stops the release."""
        return next((weight for shift_s, weight in reversed(self.shifts) if shift_s <= at_s), 0.0)

    def rate_at(self, at_s: float) -> float:
        """Requests per second at an instant."""
        before = [rate for from_s, rate in self.rate if from_s <= at_s - CREATION_S]
        return before[-1] if before else self.rate[0][1]

    def planned_at(self, at_s: float) -> float:
        """The share of all requests that is meant to fail at an instant."""
        since_s = at_s - CREATION_S
        held = [one.share for one in self.planned if one.from_s <= since_s < one.until_s]
        return held[-1] if held else 0.0

    @cached_property
    def edges_s(self) -> tuple[float, ...]:
        """The instants between which weight, rate, fault and planned share stay as they are, or nearly so."""
        edges = [at_s for at_s, _ in self.shifts]
        edges += [from_s + CREATION_S for from_s, _ in self.rate]
        edges += [at + CREATION_S for one in self.planned for at in (one.from_s, one.until_s) if at < math.inf]
        began_s = FIRST_SHIFT_S + self.fault.at_s
        edges += [began_s] + ([began_s + self.fault.for_s] if self.fault.for_s is not None else [])
        if self.fault.kind == "ramp":
            edges += [began_s + part * self.fault.ramp_s / RAMP_PARTS for part in range(1, RAMP_PARTS + 1)]
        return tuple(sorted(set(edges)))


RAMP_PARTS = 24


def only(guards: Sequence[StateRule]) -> str | None:
    """The one metric alarm whose ALARM stops the deployment; None where more, or a composite, decide."""
    if len(guards) == 1 and isinstance(guards[0], ChildIs) and guards[0] == ChildIs("ALARM", guards[0].name):
        return guards[0].name
    return None
