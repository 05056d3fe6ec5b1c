"""What other settings would have done with a run that was: its recorded traffic, replayed under them.

Where the other setting has the same share of traffic on the canary at an instant, the recorded requests are taken as
they were. Elsewhere, as after the real rollback, they are extrapolated: the recorded rate, the share that the setting
would have had, and the recorded failure ratio of each version. What comes of that is marked.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.core.delays import METRIC_DELAY_S
from harness.core.experiment.types import MissingData, Outcome
from harness.core.odds.setting import CREATION_S, ENDS_AFTER_S, FIRST_SHIFT_S
from harness.core.timeline.alarm_evaluation import MINUTE_S, states_of
from harness.core.timeline.alarm_rules import Rule, read_rule
from harness.core.timeline.events import AlarmDefined, ConfigSeen, Requests
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.timeline.steps import shifting_s, weight_after
from harness.core.verdict.evidence import Evidence, count, failed
from harness.errors import UsageError

USUAL_ALARM_DELAY_S = 45.0
"""From the end of the deciding minute to ALARM where the run does not tell it: the median of those captured."""
USUAL_STOP_DELAY_S = 19.5
Came = Literal["rolled_back", "promoted", "unknown"]


class Other(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be otherwise; None stays as it was. `dimension` is whose requests the alarm counts."""

    threshold: float | None = None
    period_s: int | None = None
    evaluation_periods: int | None = None
    datapoints: int | None = None
    missing: MissingData | None = None
    dimension: Literal["function", "version"] | None = None
    metric: str | None = None
    config: ConfigSeen | None = None
    alarm_delay_s: float | None = None
    stop_delay_s: float | None = None


class Replayed(Struct, frozen=True, kw_only=True):
    """What would have happened, in seconds since the deployment's creation.

    `failed` is how many requests would have failed from then until the stop, or until the promotion. `extrapolated`
    says that what decided was not recorded as it would have been. `why` is the sentence for an outcome that is not
    known.
    """

    came: Came
    alarm_s: float | None = None
    stopped_s: float | None = None
    last_shift_s: float | None = None
    failed: float = 0.0
    extrapolated: bool = False
    why: str = ""


class _Second(Struct, frozen=True):
    """What one second brought from one version."""

    seen: int = 0
    failures: Mapping[int, int] = {}


class Recorded(Struct, frozen=True, kw_only=True, dict=True):
    """A run as it is replayed; instants count from the deployment's creation.

    `minute_s` is where the first full minute after it begins. `ended_s` is when the real deployment stopped, or was
    promoted. The delays are those of the run where its alarm rang and its deployment stopped. `unhandled_as_500` is as
    evidence has it.
    """

    alarm: AlarmDefined
    config: ConfigSeen
    canary: Mapping[int, _Second]
    others: Mapping[int, _Second]
    minute_s: float
    first_shift_s: float
    ended_s: float
    rolled_back: bool
    first_s: int
    last_s: int
    alarm_delay_s: float
    stop_delay_s: float
    unhandled_as_500: bool = False

    @cached_property
    def rate(self) -> float:
        """Requests per second from the creation on, as they were recorded."""
        seen = sum(one.seen for arm in (self.canary, self.others) for at_s, one in arm.items() if at_s >= 0)
        return seen / max(1, self.last_s)

    def ratio(self, arm: Mapping[int, _Second], rule: Rule) -> float | None:
        """The share of a version's requests since the creation that the alarm counts as failed; None without any."""
        parts = [one for at_s, one in arm.items() if at_s >= 0]
        seen = sum(one.seen for one in parts)
        return sum(_counted(one, rule) for one in parts) / seen if seen else None


def recorded(evidence: Evidence, name: str | None = None) -> Recorded:
    """A run for replaying, by the alarm of that name, else by the group's first that can be replayed.

    Raises UsageError where the run holds too little, and NotEvaluated for an alarm that cannot be evaluated.
    """
    release, rollout = evidence.release, evidence.rollout
    created_s, alarm = release.created_s, _alarm(evidence, name)
    if created_s is None:
        raise UsageError("the run saw no deployment, so there is nothing to replay")
    if release.config is None:
        raise UsageError("the run did not see how the deployment shifts traffic, so there is nothing to replay")
    if not evidence.requests:
        raise UsageError("the timeline has no requests, so there is nothing to replay")
    if evidence.unclear:
        raise UsageError(
            f"{count(evidence.unclear)} requests may have been answered by another group's function, so a replay would "
            "count failures that the alarm never saw: name each group's requests in deployment.requests and in also"
        )
    ended_s = (release.ended[0] if release.ended else evidence.end_s) - created_s
    canary = _by_second([one for one in evidence.requests if evidence.is_canary(one.version)], created_s)
    others = _by_second([one for one in evidence.requests if not evidence.is_canary(one.version)], created_s)
    seconds = [*canary, *others]
    rang_s = _rang_s(evidence, alarm, created_s)
    phase_s = (rollout.run.aws_epoch_s + created_s) % MINUTE_S
    run = Recorded(
        alarm=alarm,
        config=release.config,
        canary=canary,
        others=others,
        minute_s=-phase_s % MINUTE_S,
        first_shift_s=float(min((at_s for at_s in canary if at_s >= 0), default=math.ceil(FIRST_SHIFT_S - CREATION_S))),
        ended_s=ended_s,
        rolled_back=rollout.outcome is Outcome.ROLLED_BACK,
        first_s=min(seconds),
        last_s=max(seconds) + 1,
        alarm_delay_s=USUAL_ALARM_DELAY_S,
        unhandled_as_500=evidence.unhandled_as_500,
        stop_delay_s=USUAL_STOP_DELAY_S if rang_s is None or ended_s < rang_s else ended_s - rang_s,
    )
    return run if rang_s is None else replace(run, alarm_delay_s=_alarm_delay_s(run, rang_s))


def _alarm_delay_s(run: Recorded, rang_s: float) -> float:
    """How long after the deciding minute the real alarm rang: under its own settings the replay must ring then, too."""
    phase_s = (rang_s - run.minute_s) % MINUTE_S
    likely = [delay_s for delay_s in (phase_s, phase_s + MINUTE_S) if delay_s >= METRIC_DELAY_S[0]]
    for delay_s in likely:
        try:
            alarm_s = replayed(run, Other(alarm_delay_s=delay_s)).alarm_s
        except (NotEvaluated, UsageError):
            break
        if alarm_s is not None and abs(alarm_s - rang_s) < 1.0:
            return delay_s
    return likely[0]


def _alarm(evidence: Evidence, name: str | None) -> AlarmDefined:
    definitions = evidence.rollout.alarms.definitions
    names = [one for one in evidence.rollout.alarm_names if one in definitions and definitions[one].kind == "metric"]
    if name is not None and name not in definitions:
        raise UsageError(f"--alarm {name}: the run saw no such alarm; it saw {', '.join(definitions) or 'none'}")
    if name is None and not names:
        children = ", ".join(one for one, defined in definitions.items() if defined.kind == "metric")
        if children:
            raise UsageError(f"the group has composite alarms only: choose what they hang on, --alarm {children}")
        raise UsageError("the run saw no metric alarm, so there is nothing to replay")
    if name is not None and definitions[name].kind != "metric":
        raise UsageError(f"--alarm {name}: a composite alarm cannot be replayed: choose one of what it hangs on")
    return definitions[name or names[0]]


def _by_second(requests: Sequence[Requests], created_s: float) -> dict[int, _Second]:
    found: dict[int, _Second] = {}
    for one in requests:
        at_s = math.floor(one.at_s - created_s)
        before = found.get(at_s, _Second())
        failures = dict(before.failures)
        if failed(one):
            failures[one.status] = failures.get(one.status, 0) + one.count
        found[at_s] = _Second(before.seen + one.count, failures)
    return found


def _rang_s(evidence: Evidence, alarm: AlarmDefined, created_s: float) -> float | None:
    """When the real alarm went to ALARM during the release."""
    turns = [turn for turn in evidence.rollout.alarms.turns(alarm.name) if turn.state == "ALARM"]
    return next((turn.since[1] - created_s for turn in turns if turn.since[0] >= created_s), None)


def replayed(run: Recorded, other: Other) -> Replayed:
    """What the other settings would have done. Raises NotEvaluated for an alarm that cannot be evaluated."""
    rule = replace(read_rule(_otherwise(run.alarm, other)), unhandled_as_500=run.unhandled_as_500)
    config = other.config or run.config
    if rule.breaches_without_failures:
        raise UsageError(
            f"the alarm {run.alarm.name} ({rule}) breaches without a failure: it would be in ALARM before any release"
        )
    if not rule.counts_failures:
        raise UsageError(f"the alarm {run.alarm.name} ({rule}) counts no failures, so answers do not tell its values")
    last_shift_s = run.first_shift_s + (shifting_s(config) or 0.0)
    minutes = _Minutes(run, rule, config, last_shift_s, _only_canary(run.alarm, other))
    if minutes.unknown:
        return Replayed(came="unknown", last_shift_s=last_shift_s, why=minutes.unknown)
    delay_s = run.alarm_delay_s if other.alarm_delay_s is None else other.alarm_delay_s
    stop_s = run.stop_delay_s if other.stop_delay_s is None else other.stop_delay_s
    alarm_s = minutes.first_alarm_s(delay_s)
    over_s = last_shift_s + ENDS_AFTER_S
    if alarm_s is None or alarm_s + stop_s >= over_s:
        return Replayed(
            came="promoted",
            alarm_s=alarm_s,
            last_shift_s=last_shift_s,
            failed=minutes.failed_by(over_s),
            extrapolated=minutes.extrapolates(over_s),
        )
    stopped_s = alarm_s + stop_s if alarm_s else 0.0  # one that is on at the creation stops the release there
    return Replayed(
        came="rolled_back",
        alarm_s=alarm_s,
        stopped_s=stopped_s,
        last_shift_s=last_shift_s,
        failed=minutes.failed_by(stopped_s),
        extrapolated=minutes.extrapolates(alarm_s - delay_s),
    )


def _otherwise(alarm: AlarmDefined, other: Other) -> AlarmDefined:
    given: dict[str, Any] = {
        "threshold": other.threshold,
        "evaluation_periods": other.evaluation_periods,
        "datapoints": other.datapoints,
        "missing": other.missing,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    periods = changes.get("evaluation_periods", alarm.evaluation_periods) or 1
    if other.datapoints is None and (alarm.datapoints or 1) > periods:
        changes["datapoints"] = periods
    if other.datapoints is not None and other.datapoints > periods:
        raise UsageError(f"{other.datapoints} of {periods} datapoints cannot breach: raise evaluation-periods, too")
    if not alarm.queries:
        changes |= {"period_s": other.period_s or alarm.period_s, "metric": other.metric or alarm.metric}
        return replace(alarm, **changes)
    if other.metric:
        raise UsageError(f"{alarm.name} computes its value from several metrics: another one cannot take their place")
    queries = tuple(
        replace(one, period_s=other.period_s) if other.period_s and one.metric else one for one in alarm.queries
    )
    return replace(alarm, queries=queries, **changes)


def _only_canary(alarm: AlarmDefined, other: Other) -> bool:
    if other.dimension is not None:
        return other.dimension == "version"
    return "ExecutedVersion" in alarm.dimensions


def _counted(one: _Second, rule: Rule) -> int:
    return sum(count for status, count in one.failures.items() if rule.counts(status))


class _Minutes:
    """The seconds of a run as another setting would have had them, and what its alarm makes of their minutes."""

    def __init__(self, run: Recorded, rule: Rule, config: ConfigSeen, last_shift_s: float, only_canary: bool) -> None:
        self._run, self._rule, self._config = run, rule, config
        self._last_shift_s, self._only_canary = last_shift_s, only_canary
        self._bad = run.ratio(run.canary, rule)
        self._usual = run.ratio(run.others, rule) or 0.0
        self._from_s = math.floor(run.first_s / MINUTE_S) * MINUTE_S + run.minute_s - MINUTE_S
        self._until_s = math.ceil(last_shift_s + ENDS_AFTER_S)
        self._totals = self._added_up()

    @property
    def unknown(self) -> str:
        """Why nothing can be said; empty where something can."""
        if self._bad is None and self.extrapolates(self._until_s):
            return "the run has no answer of the canary, so what more traffic to it would have brought is not known"
        return ""

    def first_alarm_s(self, delay_s: float) -> float | None:
        """When the alarm first is in ALARM after the creation; 0 if it was so when the deployment was created."""
        if self._only_canary and self._rule.condition.missing == "breaching":
            return 0.0  # a version on trial had no request before
        period_s = max(MINUTE_S, self._rule.period_s)
        ends = [self._from_s + MINUTE_S * (n + 1) for n in range(math.floor((self._until_s - self._from_s) / MINUTE_S))]
        values = [self._value(end_s - period_s, end_s) for end_s in ends]
        known, on = self._rule.condition.evaluation_periods * math.ceil(period_s / MINUTE_S), False
        for number, (end_s, state) in enumerate(zip(ends, states_of(self._rule.condition, values), strict=True), 1):
            if end_s + delay_s < 0:
                on = state == "ALARM" and number >= known  # what came before the run is not known
            elif on or state == "ALARM":
                return 0.0 if on else end_s + delay_s
        return None

    def failed_by(self, at_s: float) -> float:
        """How many requests fail from the creation until then, on any version."""
        return self._between(2, 0.0, at_s)

    def extrapolates(self, at_s: float) -> bool:
        """Whether anything until then was not recorded as it would have been."""
        return any(not self._is_recorded(second) for second in range(math.ceil(at_s)))

    def _value(self, from_s: float, until_s: float) -> float | None:
        requests = self._between(0, from_s, until_s)
        return self._rule.value(round(self._between(1, from_s, until_s), 6), requests) if requests >= 0.5 else None

    def _between(self, what: int, from_s: float, until_s: float) -> float:
        low, high = (min(max(0, math.floor(at_s - self._from_s)), len(self._totals) - 1) for at_s in (from_s, until_s))
        return self._totals[high][what] - self._totals[low][what]

    def _added_up(self) -> list[tuple[float, float, float]]:
        """Counted requests, counted failures and all failures up to each second."""
        totals = [(0.0, 0.0, 0.0)]
        for at in range(math.ceil(self._until_s - self._from_s)):
            counted, bad, every = self._second(math.floor(self._from_s + at))
            seen, fails, total = totals[-1]
            totals.append((seen + counted, fails + bad, total + every))
        return totals

    def _second(self, at_s: int) -> tuple[float, float, float]:
        run, rule = self._run, self._rule
        canary, others = run.canary.get(at_s, _Second()), run.others.get(at_s, _Second())
        if self._is_recorded(at_s):
            parts: list[tuple[float, float]] = [
                (canary.seen, _counted(canary, rule)),
                (others.seen, _counted(others, rule)),
            ]
        else:
            requests = canary.seen + others.seen if at_s < run.last_s else run.rate
            share = requests * self._weight(at_s)
            parts = [(share, share * (self._bad or 0.0)), (requests - share, (requests - share) * self._usual)]
        counted = parts[:1] if self._only_canary else parts
        return sum(seen for seen, _ in counted), sum(bad for _, bad in counted), sum(bad for _, bad in parts)

    def _is_recorded(self, at_s: int) -> bool:
        if at_s >= self._run.last_s:
            return False
        return at_s < 0 or math.isclose(self._weight(at_s), self._real_weight(at_s), abs_tol=1e-9)

    def _weight(self, at_s: float) -> float:
        return _weight(self._config, at_s - self._run.first_shift_s)

    def _real_weight(self, at_s: float) -> float:
        run = self._run
        if at_s < run.ended_s:
            return _weight(run.config, at_s - run.first_shift_s)
        return 0.0 if run.rolled_back else 1.0


def _weight(config: ConfigSeen, since_s: float) -> float:
    """The canary's share so long after its first traffic."""
    if since_s < 0:
        return 0.0
    if since_s >= (shifting_s(config) or 0.0):
        return 1.0
    return weight_after(config, since_s) or 1.0
