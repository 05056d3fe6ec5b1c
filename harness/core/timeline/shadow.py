"""Shadow alarms: the states that alarms which do not exist would be in, by the datapoints that CloudWatch has.

CloudWatch evaluates an alarm each minute, whatever its period. So a sum or an extreme is read minute by minute and put
together for the period that ends at each evaluation. An average or a percentile cannot be, and is evaluated at the end
of whole periods alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.core.delays import ALARM_DELAY_S
from harness.core.experiment.alarm_contradictions import DAY_S, LONGEST_SHADOW_PERIOD_S, RESULT, measured_by
from harness.core.experiment.alarm_metric import Measured, dimensions_of, namespace_of
from harness.core.experiment.types import ShadowAlarm
from harness.core.timeline.alarm_evaluation import MINUTE_S, Points, state_of
from harness.core.timeline.alarm_rules import Rule, rule_of_metrics
from harness.core.timeline.events import AlarmDefined, AlarmMetricSeen, MetricQuery
from harness.core.timeline.metric_math import NotEvaluated

SETTLED_S = ALARM_DELAY_S[1]
"""So long after its end a period without a datapoint is taken for one that has none."""
LOOK_BACK_S = 3600.0
"""Before the run, or a deployment that began before it, shadow alarms are read so far back."""
MOST_EVALUATIONS = 20_000
_ADDED_UP: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "SampleCount": sum,
    "Minimum": min,
    "Maximum": max,
}
_WORD = re.compile(r"\{(\w+)\}")


class Evaluated(Struct, frozen=True):
    """One evaluation: the end of its period in seconds since the run began, the value, and the state it leads to."""

    end_s: float
    value: float | None
    state: str


def why_unreadable(alarm: ShadowAlarm) -> str | None:
    """What keeps a shadow alarm's expression from being evaluated; None where nothing does."""
    try:
        shadow_rule(_defined(alarm, {}, 0.0))
    except NotEvaluated as reason:
        return str(reason)
    return None


def shadow_rule(defined: AlarmDefined) -> Rule:
    """The rule of a shadow alarm; raises NotEvaluated, also for one that no experiment can have asked for."""
    rule = rule_of_metrics(defined)
    condition = rule.condition
    is_bounded = 0 < rule.period_s <= LONGEST_SHADOW_PERIOD_S and rule.period_s * condition.evaluation_periods <= DAY_S
    if not is_bounded or not 0 < condition.datapoints <= condition.evaluation_periods:
        raise NotEvaluated("its periods are none of a shadow alarm")
    return rule


def unknown_words(alarm: ShadowAlarm, words: Mapping[str, str]) -> list[str]:
    """The placeholders in a shadow alarm's dimensions that nothing is known for, each once."""
    templates = (value for _, metric in measured_by(alarm) for value in dimensions_of(metric).values())
    named = (word for template in templates for word in _WORD.findall(template))
    return [word for word in dict.fromkeys(named) if word not in words]


def shadow_defined(alarm: ShadowAlarm, words: Mapping[str, str], at_s: float) -> AlarmDefined | None:
    """A shadow alarm as CloudWatch would have it; None as long as a placeholder is not known."""
    return None if unknown_words(alarm, words) else _defined(alarm, words, at_s)


def _defined(alarm: ShadowAlarm, words: Mapping[str, str], at_s: float) -> AlarmDefined:
    metrics = [_query(id_, metric, alarm.period_s, words) for id_, metric in measured_by(alarm)]
    defined = AlarmDefined(
        asked_s=at_s,
        at_s=at_s,
        name=alarm.name or "",
        evaluation_periods=alarm.evaluation_periods,
        datapoints=alarm.datapoints,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
        missing=alarm.missing,
    )
    if alarm.expression is not None:
        compared = MetricQuery(id=RESULT, expression=alarm.expression)
        return replace(defined, queries=(*(replace(one, returned=False) for one in metrics), compared))
    only = metrics[0]
    flat: dict[str, Any] = {
        name: getattr(only, name) for name in ("metric", "namespace", "dimensions", "statistic", "period_s")
    }
    return replace(defined, **flat)


def _query(id_: str, metric: Measured, period_s: int, words: Mapping[str, str]) -> MetricQuery:
    return MetricQuery(
        id=id_,
        metric=metric.metric,
        namespace=namespace_of(metric),
        dimensions={
            name: _WORD.sub(lambda found: words.get(found[1], found[0]), value)
            for name, value in dimensions_of(metric).items()
        },
        statistic=metric.statistic,
        period_s=period_s,
    )


def reads_of(rule: Rule) -> Iterator[MetricQuery]:
    """The metrics of a shadow alarm with the periods at which they are read."""
    for metric in rule.metrics:
        yield replace(metric, period_s=min(rule.period_s, MINUTE_S)) if metric.statistic in _ADDED_UP else metric


def evaluated(
    rule: Rule, read: Iterable[AlarmMetricSeen], *, epoch_s: float, began_s: float, asked_s: float
) -> list[Evaluated]:
    """The evaluations from `began_s`, or an earlier datapoint, until what was known at `asked_s`.

    `epoch_s` is the beginning of the run by AWS's clock. `read` are the reads of this alarm; the last one at a period
    counts.
    """
    series = _Series(rule, read, epoch_s, began_s, asked_s)
    ends = series.ends()
    values = series.values(ends)
    stride = rule.period_s // series.step_s
    found: list[Evaluated] = []
    state = "OK"
    for at, end in enumerate(ends):
        state = state_of(rule.condition, _range(values, at, stride, rule.condition.range), state)
        found.append(Evaluated(end - epoch_s, values[at], state))
    return found


def _range(values: Points, at: int, stride: int, length: int) -> Points:
    indices = range(at - stride * (length - 1), at + 1, stride)
    return [values[index] if index >= 0 else None for index in indices]


class _Series:
    """The datapoints of a shadow alarm's metrics, by the second since 1970 at which their period began."""

    def __init__(
        self, rule: Rule, read: Iterable[AlarmMetricSeen], epoch_s: float, began_s: float, asked_s: float
    ) -> None:
        self._rule, self._reads = rule, [*reads_of(rule)]
        self._began, self._asked = epoch_s + began_s, epoch_s + asked_s
        by_minute = all(one.statistic in _ADDED_UP for one in self._reads)
        self.step_s = rule.condition.step_s if by_minute else rule.period_s
        self._points: dict[str, dict[int, float]] = {one.id: {} for one in self._reads}
        periods = {one.id: one.period_s for one in self._reads}
        for seen in read:
            if periods.get(seen.query) == seen.period_s:
                starts = (
                    (round((epoch_s + at_s) / seen.period_s) * seen.period_s, value) for at_s, value in seen.points
                )
                within = {
                    start: value
                    for start, value in starts
                    if self._began - LOOK_BACK_S - seen.period_s <= start < self._asked
                }
                self._points[seen.query].update(within)

    def ends(self) -> range:
        """When the alarm is evaluated, as far as it is known what it would see."""
        newest = max((start + self._of(id_) for id_, points in self._points.items() for start in points), default=0)
        last = max(min(newest, self._asked), self._asked - SETTLED_S)
        oldest = min((start for points in self._points.values() for start in points), default=self._began)
        first = int(-(-min(oldest + 1, self._began) // self.step_s) * self.step_s)
        return range(first, int(min(last, first + MOST_EVALUATIONS * self.step_s)) + 1, self.step_s)

    def _of(self, id_: str) -> int:
        return next(one.period_s or MINUTE_S for one in self._reads if one.id == id_)

    def values(self, ends: range) -> Points:
        """What the alarm compares at each end: expressions see the ends that are whole periods apart."""
        stride, length = self._rule.period_s // self.step_s, len(ends)
        values: list[float | None] = [None] * length
        for phase in range(min(stride, length)):
            some = ends[phase::stride]
            values[phase::stride] = self._rule.computed(
                {one.id: [self._value(one, end) for end in some] for one in self._reads}
            )
        return values

    def _value(self, one: MetricQuery, end: int) -> float | None:
        points, step_s = self._points[one.id], one.period_s or MINUTE_S
        starts = range(end - self._rule.period_s, end, step_s)
        parts = [points[start] for start in starts if start in points]
        return _ADDED_UP.get(one.statistic or "", sum)(parts) if parts else None


def turns(found: Sequence[Evaluated]) -> list[Evaluated]:
    """The evaluations that led to another state, and the first one."""
    return [one for before, one in zip([None, *found], found, strict=False) if not before or before.state != one.state]


def stretches(found: Sequence[Evaluated]) -> list[tuple[float, float | None]]:
    """The times in ALARM: the end of the period that decided, and of the one that ended it; None while none did."""
    states = turns(found)
    ends = [*(one.end_s for one in states[1:]), None]
    return [(one.end_s, end_s) for one, end_s in zip(states, ends, strict=False) if one.state == "ALARM"]
