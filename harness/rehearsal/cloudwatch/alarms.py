"""The alarms of an account and region: their states, what changes them, and their history."""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct, structs

from harness.core.delays import COMPOSITE_LAG_S
from harness.rehearsal.clock import Schedule
from harness.rehearsal.cloudwatch import reasons, rule
from harness.rehearsal.cloudwatch.definition import Definition
from harness.rehearsal.cloudwatch.evaluation import ALARM, INSUFFICIENT_DATA, OK, evaluate, evaluation_range
from harness.rehearsal.cloudwatch.history import AlarmHistory
from harness.rehearsal.cloudwatch.queries import Reader
from harness.rehearsal.cloudwatch.reasons import EvaluatedPeriod
from harness.rehearsal.cloudwatch.rule import CompositeRule
from harness.rehearsal.cloudwatch.store import MINUTE_S, MetricStore
from harness.rehearsal.operations import Params

FINE_ALIGNMENT_S = 10
MOST_HISTORY_DATA = 4095
QUERY_TO_UPDATE_S = 0.01
"""How long before the change of state its `queryDate` lies, as captured."""

AlarmKind = Literal["MetricAlarm", "CompositeAlarm"]


class StoredState(Struct, frozen=True):
    """A state, why, and since when."""

    value: str
    reason: str
    updated_s: float
    since_s: float
    data: dict[str, Any] | None = None


class StoredAlarm(Struct, frozen=True, kw_only=True):
    """An alarm as it is now.

    `configuration` is what was put, in AWS's words; `series` numbers its evaluations, apart from those of an
    earlier alarm of the same name. `entered` is the state with the reason for which the alarm went to it: history tells
    that one, while each evaluation that confirms the state gives `state` its own reason.
    """

    name: str
    arn: str
    configuration: Params
    watch: Definition | CompositeRule
    configured_s: float
    state: StoredState
    entered: StoredState
    tags: Mapping[str, str]
    series: int = 0

    @property
    def kind(self) -> AlarmKind:
        """AWS's word for what it is."""
        return "MetricAlarm" if isinstance(self.watch, Definition) else "CompositeAlarm"

    @property
    def children(self) -> tuple[str, ...]:
        """The names of the alarms that a composite alarm depends on."""
        return () if isinstance(self.watch, Definition) else rule.children(self.watch)


class AlarmStore:
    """All alarms, metric and composite; the schedule's lock guards them.

    A metric alarm is evaluated at a phase of its own, which its name and the seed decide: on AWS too it never changes.
    With `phase_s` all are evaluated at that second of the minute.
    """

    def __init__(
        self,
        schedule: Schedule,
        store: MetricStore,
        publish: Callable[[float], None],
        *,
        seed: int,
        prefix: str,
        phase_s: float | None = None,
    ) -> None:
        self._phase_s = phase_s
        self.history = AlarmHistory()
        self._schedule = schedule
        self._store = store
        self._publish = publish
        self._seed = seed
        self._prefix = prefix
        self._alarms: dict[str, StoredAlarm] = {}
        self._series = itertools.count(1)

    @property
    def account(self) -> str:
        """The id of the account, as its ARNs have it."""
        return self._prefix.split(":")[4]

    def get(self, name: str) -> StoredAlarm | None:
        """The alarm of that name, if there is one."""
        return self._alarms.get(name)

    def is_arn(self, arn: str) -> bool:
        """Whether an alarm of this account and region could have the ARN."""
        return arn.startswith(f"{self._prefix}:")

    def __iter__(self) -> Iterator[StoredAlarm]:
        """Metric alarms before composite ones, each sorted by name."""
        return iter(sorted(self._alarms.values(), key=lambda alarm: (alarm.kind != "MetricAlarm", alarm.name)))

    def parents(self, name: str) -> list[StoredAlarm]:
        """The composite alarms whose rule names the alarm."""
        return [alarm for alarm in self if name in alarm.children]

    def put(self, name: str, configuration: Params, watch: Definition | CompositeRule, tags: Mapping[str, str]) -> None:
        """Creates an alarm, or replaces its configuration and keeps its state and tags."""
        now_s = self._schedule.clock.now()
        old = self._alarms.get(name)
        alarm = (
            self._new(name, configuration, watch, tags, now_s)
            if old is None
            else structs.replace(old, configuration=configuration, watch=watch, configured_s=now_s)
        )
        self._alarms[name] = alarm
        self._write_configuration(alarm, "Update" if old else "Create", now_s)
        if isinstance(watch, Definition):
            self._start_ticks(alarm, old, now_s)
        else:
            self._evaluate_later(name, now_s, _Cause("updated" if old else "created"))

    def configure(self, name: str, configuration: Params) -> None:
        """Replaces the configuration of an existing alarm by one that watches the same."""
        now_s = self._schedule.clock.now()
        alarm = structs.replace(self._alarms[name], configuration=configuration, configured_s=now_s)
        self._alarms[name] = alarm
        self._write_configuration(alarm, "Update", now_s)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Replaces all tags of an existing alarm."""
        self._alarms[name] = structs.replace(self._alarms[name], tags=tags)

    def delete(self, name: str) -> None:
        """Removes an alarm; its history stays."""
        self._write_configuration(self._alarms.pop(name), "Delete", self._schedule.clock.now())

    def force(self, name: str, value: str, reason: str, data: dict[str, Any] | None) -> None:
        """SetAlarmState: at once, and until the next evaluation or a child decides otherwise, be there data or not.

        Captured 2021-10-14: without any data, forced at 14:48:21 and back at 14:49:54. The evaluation before, half a
        minute after the forcing, had left it alone; when AWS does that is not known, so that every one counts here.
        """
        now_s = self._schedule.clock.now()
        self._change(self._alarms[name], StoredState(value, reason, now_s, now_s, data), ())

    def _new(
        self, name: str, configuration: Params, watch: Definition | CompositeRule, tags: Mapping[str, str], now_s: float
    ) -> StoredAlarm:
        initial = StoredState(INSUFFICIENT_DATA, reasons.INITIAL, now_s, now_s)
        return StoredAlarm(
            name=name,
            arn=f"{self._prefix}:{name}",
            configuration=configuration,
            watch=watch,
            configured_s=now_s,
            state=initial,
            entered=initial,
            tags=tags,
        )

    def _start_ticks(self, alarm: StoredAlarm, old: StoredAlarm | None, now_s: float) -> None:
        interval_s = alarm.watch.interval_s if isinstance(alarm.watch, Definition) else MINUTE_S
        if old and isinstance(old.watch, Definition) and old.watch.interval_s == interval_s:
            return
        series = next(self._series)
        self._alarms[alarm.name] = structs.replace(alarm, series=series)
        drawn_s = random.Random(f"{self._seed}:{alarm.name}").random() * interval_s
        phase_s = drawn_s if self._phase_s is None else self._phase_s
        first_s = now_s + (phase_s - now_s) % interval_s
        self._schedule.at(first_s, lambda at_s: self._tick(alarm.name, series, at_s))

    def _tick(self, name: str, series: int, at_s: float) -> None:
        alarm = self._alarms.get(name)
        if alarm is None or alarm.series != series or not isinstance(alarm.watch, Definition):
            return
        self._schedule.at(at_s + alarm.watch.interval_s, lambda next_s: self._tick(name, series, next_s))
        self._publish(at_s)
        self._evaluate_metric(alarm, alarm.watch, at_s)

    def _evaluate_metric(self, alarm: StoredAlarm, definition: Definition, at_s: float) -> None:
        starts = _periods(definition, at_s)
        reader = Reader(self._store, definition.queries)
        values = reader.series(definition.query, starts, definition.period_s)
        newest = max((start for start, value in zip(starts, values, strict=True) if value is not None), default=None)
        if newest is not None and (reader.samples(definition.query, newest) or 0) < definition.fewest_samples:
            return
        judgement = evaluate(values, definition.condition, alarm.state.value)
        if judgement.retained:
            return
        points = [
            EvaluatedPeriod(start, value, reader.samples(definition.query, start))
            for start, value in zip(starts, values, strict=True)
        ]
        explicit = "DatapointsToAlarm" in alarm.configuration
        reason = reasons.reason(judgement, points, definition.condition, explicit=explicit)
        data = reasons.reason_data(judgement, points, definition, at_s - QUERY_TO_UPDATE_S)
        if judgement.state == alarm.state.value:
            confirmed = structs.replace(alarm.state, reason=reason, data=data)
            self._alarms[alarm.name] = structs.replace(alarm, state=confirmed)
        else:
            self._change(alarm, StoredState(judgement.state, reason, at_s, at_s, data), ())

    def _evaluate_later(self, name: str, at_s: float, cause: "_Cause") -> None:
        self._schedule.at(at_s + COMPOSITE_LAG_S, lambda due_s: self._evaluate_composite(name, cause, due_s))

    def _evaluate_composite(self, name: str, cause: "_Cause", at_s: float) -> None:
        alarm = self._alarms.get(name)
        if alarm is None or isinstance(alarm.watch, Definition) or name in cause.path:
            return  # a cycle among composite alarms ends where it closes
        value = ALARM if rule.holds(alarm.watch, {each.name: each.state.value for each in self}) else OK
        if value == alarm.state.value:
            return
        changed = [cause.child] if cause.child else [child for name in alarm.children if (child := self.get(name))]
        triggers = [(child.arn, child.state.value, child.state.updated_s) for child in changed]
        reason = (
            reasons.transition_reason(*triggers[0])
            if cause.child
            else f"{alarm.arn} was {cause.did} and its alarm rule evaluates to {value}"
        )
        self._change(alarm, StoredState(value, reason, at_s, at_s, reasons.triggering_alarms(triggers)), cause.path)

    def _change(self, alarm: StoredAlarm, state: StoredState, path: tuple[str, ...]) -> None:
        if state.value == alarm.state.value:
            kept = structs.replace(state, since_s=alarm.state.since_s)
            self._alarms[alarm.name] = structs.replace(alarm, state=kept, entered=kept)
            return
        changed = structs.replace(alarm, state=state, entered=state)
        self._alarms[alarm.name] = changed
        summary = f"Alarm updated from {alarm.state.value} to {state.value}"
        data = _first_fitting(
            {"version": "1.0", "oldState": _told(alarm.entered), "newState": _told(state)},
            {"version": "1.0", "oldState": _told(alarm.entered, brief=True), "newState": _told(state, brief=True)},
        )
        self.history.add(alarm.name, alarm.kind, state.updated_s, "StateUpdate", summary, data)
        for parent in self.parents(alarm.name):
            self._evaluate_later(parent.name, state.updated_s, _Cause("changed", changed, (*path, alarm.name)))

    def _write_configuration(self, alarm: StoredAlarm, type_: str, at_s: float) -> None:
        did = {"Create": "created", "Update": "updated", "Delete": "deleted"}[type_]
        configuration = {name[0].lower() + name[1:]: value for name, value in alarm.configuration.items()}
        identity = {"alarmName": alarm.name, "alarmArn": alarm.arn}
        data = _first_fitting(
            {"version": "1.0", "type": type_, f"{did}Alarm": {**identity, **configuration}},
            {"version": "1.0", "type": type_, f"{did}Alarm": identity},
        )
        self.history.add(alarm.name, alarm.kind, at_s, "ConfigurationUpdate", f'Alarm "{alarm.name}" {did}', data)


class _Cause(Struct, frozen=True):
    """Why a composite alarm is evaluated: it was created or updated, or a child changed after those in `path`."""

    did: str
    child: StoredAlarm | None = None
    path: tuple[str, ...] = ()


def _periods(definition: Definition, at_s: float) -> list[float]:
    """The starts of the periods in the evaluation range, oldest first: the newest ended at the last full minute.

    Long periods slide by the minute, so that the five minutes of an alarm need not begin at a multiple of five.
    """
    alignment_s = MINUTE_S if definition.period_s >= MINUTE_S else FINE_ALIGNMENT_S
    end_s = math.floor(at_s / alignment_s) * alignment_s
    count = evaluation_range(definition.condition.evaluation_periods, definition.period_s)
    return [float(end_s - periods * definition.period_s) for periods in range(count, 0, -1)]


def _told(state: StoredState, *, brief: bool = False) -> dict[str, Any]:
    parts = {"stateValue": state.value, "stateReason": state.reason}
    return {**parts, "stateReasonData": state.data} if state.data and not brief else parts


def _first_fitting(*candidates: Mapping[str, Any]) -> str:
    """The first that fits into HistoryData as JSON, or the last. Assumption: AWS leaves out what is too long."""
    texts = [reasons.compact(candidate) for candidate in candidates]
    return next((text for text in texts if len(text) <= MOST_HISTORY_DATA), texts[-1])
