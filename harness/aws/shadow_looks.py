"""What the watcher reads for shadow alarms beside the real metrics, and the states that it evaluates from that.

Shadow alarms are a measure. What goes wrong with them is recorded as theirs, and takes no sight of the release.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from harness.core.experiment.alarm_metric import API_GATEWAY
from harness.core.experiment.types import AlarmState, ShadowAlarm
from harness.core.timeline.alarm_rules import Rule, metrics_of
from harness.core.timeline.comparisons import sign_of
from harness.core.timeline.events import AlarmDefined, AlarmMetricSeen, AlarmSeen, LookFailed, MetricQuery, Shadow
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.timeline.shadow import Evaluated, evaluated, reads_of, shadow_defined, shadow_rule, turns

REFUSALS = frozenset(
    {"ValidationError", "ValidationException", "InvalidParameterValue", "InvalidParameterCombination"}
    | {"InvalidFormat", "MissingParameter", "MissingRequiredParameter", "LimitExceeded"}
)
"""Codes with which GetMetricData refuses a request for what it asks, not for who asks or how often."""
_STATES: Mapping[str, AlarmState] = {state: state for state in get_args(AlarmState)}


class Shadows:
    """The shadow alarms of a run: those that are defined by now, and what was read for each."""

    def __init__(self, alarms: Sequence[ShadowAlarm]) -> None:
        self._alarms = alarms
        self._rules: dict[str, Rule] = {}
        self._read: dict[str, list[AlarmMetricSeen]] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._refused = False

    def defined(self, words: Mapping[str, str], at_s: float) -> Iterator[Shadow]:
        """The alarms whose dimensions are known from now on."""
        for alarm in self._alarms:
            if alarm.name in self._rules or (known := shadow_defined(alarm, words, at_s)) is None:
                continue
            try:
                self._rules[known.name] = shadow_rule(known)
            except NotEvaluated:
                continue  # an expression is read before a run begins; the report says why nothing is known of it
            yield Shadow(at_s=at_s, seen=known)

    @property
    def wanted(self) -> Iterator[tuple[str, MetricQuery]]:
        """The metrics to read, each with the name of its alarm."""
        rules = {} if self._refused else self._rules
        return ((name, query) for name, rule in rules.items() for query in reads_of(rule))

    def refuse(self, failed: LookFailed) -> Shadow:
        """Reads nothing more, since CloudWatch refuses what they ask for."""
        self._refused = True
        return Shadow(at_s=failed.at_s, seen=failed)

    def learn(
        self, read: Sequence[AlarmMetricSeen], *, epoch_s: float, began_s: float, asked_s: float
    ) -> Iterator[Shadow]:
        """What was read, and each state that it changes."""
        for one in read:
            self._read.setdefault(one.alarm, []).append(one)
            yield Shadow(at_s=one.at_s, seen=one)
        for name in dict.fromkeys(one.alarm for one in read):
            rule = self._rules[name]
            found = evaluated(rule, self._read[name], epoch_s=epoch_s, began_s=began_s, asked_s=asked_s)
            if found and (state := _state(rule, found, read[-1])) and self._is_news(state):
                yield Shadow(at_s=state.at_s, seen=state)

    def _is_news(self, state: AlarmSeen) -> bool:
        told = state.state, state.since_s or 0.0
        news = self._told.get(state.name) != told
        self._told[state.name] = told
        return news


def _state(rule: Rule, found: Sequence[Evaluated], look: AlarmMetricSeen) -> AlarmSeen:
    """The newest state, and the evaluation that led to it."""
    led = turns(found)[-1]
    return AlarmSeen(
        asked_s=look.asked_s,
        at_s=look.at_s,
        name=rule.name or "",
        state=_STATES[led.state],
        since_s=led.end_s,
        reason=_compared(rule, led.value),
    )


def _compared(rule: Rule, value: float | None) -> str:
    """What the evaluation compared last."""
    if value is None:
        return "no datapoint"
    is_ = "is" if rule.condition.breached_by(value) else "is not"
    return f"{value:.6g} {is_} {sign_of(rule.condition.comparison)} {rule.threshold:g}"


def words_of_apis(definitions: Mapping[str, AlarmDefined]) -> dict[str, str]:
    """What `api`, `api_id` and `stage` mean, by the real alarms that watch API Gateway."""
    names = {"ApiName": "api", "ApiId": "api_id", "Stage": "stage"}
    return {
        names[name]: value
        for alarm in definitions.values()
        for one in metrics_of(alarm)
        if one.namespace == API_GATEWAY
        for name, value in one.dimensions.items()
        if name in names
    }
