"""Turns AWS's answers into events; pure, and it never raises.

Whatever AWS answers becomes an event: a sighting where the answer can be read, a `LookFailed` with the code
`UnexpectedAnswer` where it cannot. Unknown words are passed on if the timeline takes any word. A
missing or nonsensical field is None.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, get_args

from msgspec import Struct

from harness.core.experiment.types import AlarmState
from harness.core.foreign import mapping, number, sequence, text
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmGone,
    AlarmMetricSeen,
    AlarmSeen,
    AliasMetricSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    GroupSeen,
    LifecycleEvent,
    LookFailed,
    MetricQuery,
    MetricSeen,
    TargetSeen,
)

UNEXPECTED = "UnexpectedAnswer"
NO_RESULT = "NoResult"
"""The status of a metric for which GetMetricData answered nothing, beside CloudWatch's own."""
LISTS_OF_ALARMS = ("MetricAlarms", "CompositeAlarms", "LogAlarms")

_STATES: Mapping[str, AlarmState] = {state: state for state in get_args(AlarmState)}
_CHANGE = re.compile(r"updated from (?P<old>\w+) to (?P<new>\w+)")


class Stamp(Struct, frozen=True):
    """When a call was asked and answered (seconds since the run began); `epoch_s` is the run's start since 1970."""

    call: str
    asked_s: float
    at_s: float
    epoch_s: float

    def instant(self, value: object) -> float | None:
        """Seconds since the run began of one of AWS's dates."""
        if not isinstance(value, datetime):
            return None
        try:
            return round(value.timestamp() - self.epoch_s, 6)
        except (OverflowError, ValueError, OSError):
            return None

    def unreadable(self, message: str) -> LookFailed:
        """What is recorded in place of a sighting."""
        return LookFailed(asked_s=self.asked_s, at_s=self.at_s, call=self.call, code=UNEXPECTED, message=message)


UNDATED = Stamp("", 0.0, 0.0, 0.0)
"""The stamp of what is read outside a run, where no times are needed."""


def date_of(answer: Mapping[str, Any]) -> float | None:
    """When AWS says that it answered, in whole seconds since 1970."""
    headers = mapping(mapping(answer.get("ResponseMetadata")).get("HTTPHeaders"))
    try:
        return parsedate_to_datetime(text(headers.get("date")) or "").timestamp()
    except (ValueError, OverflowError):
        return None


def deployment_seen(info: object, stamp: Stamp) -> DeploymentSeen | LookFailed:
    """From a DeploymentInfo, as GetDeployment and BatchGetDeployments return it."""
    known = mapping(info)
    deployment_id, status = text(known.get("deploymentId")), text(known.get("status"))
    if deployment_id is None or status is None:
        return stamp.unreadable("a deployment without id or status")
    error, rollback = mapping(known.get("errorInformation")), mapping(known.get("rollbackInfo"))
    return DeploymentSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        deployment_id=deployment_id,
        status=status,
        creator=text(known.get("creator")),
        application=text(known.get("applicationName")),
        group=text(known.get("deploymentGroupName")),
        config=text(known.get("deploymentConfigName")),
        created_s=stamp.instant(known.get("createTime")),
        started_s=stamp.instant(known.get("startTime")),
        completed_s=stamp.instant(known.get("completeTime")),
        error_code=text(error.get("code")),
        error_message=text(error.get("message")),
        rollback_id=text(rollback.get("rollbackDeploymentId")),
        rollback_of=text(rollback.get("rollbackTriggeringDeploymentId")),
        rollback_message=text(rollback.get("rollbackMessage")),
        alarms=_alarms_of(known.get("overrideAlarmConfiguration")),
        rollback_events=_rollback_events_of(known.get("autoRollbackConfiguration")),
    )


def target_seen(deployment_id: str, target: object, stamp: Stamp) -> TargetSeen | LookFailed:
    """From a DeploymentTarget; `lambdaFunctionInfo` may be empty while BeforeAllowTraffic runs."""
    known = mapping(mapping(target).get("lambdaTarget"))
    status = text(known.get("status"))
    if status is None:
        return stamp.unreadable("a deployment target without status, or not of Lambda")
    shift = mapping(known.get("lambdaFunctionInfo"))
    return TargetSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        deployment_id=deployment_id,
        status=status,
        function=text(shift.get("functionName")),
        alias=text(shift.get("functionAlias")),
        current_version=text(shift.get("currentVersion")),
        target_version=text(shift.get("targetVersion")),
        weight=_weight(shift.get("targetVersionWeight")),
        lifecycle=tuple(_lifecycle_events(known.get("lifecycleEvents"), stamp)),
    )


def _lifecycle_events(events: object, stamp: Stamp) -> Iterator[LifecycleEvent]:
    for event in map(mapping, sequence(events)):
        name = text(event.get("lifecycleEventName"))
        if name is None:
            continue
        diagnostics = mapping(event.get("diagnostics"))
        yield LifecycleEvent(
            name=name,
            status=text(event.get("status")) or "Unknown",
            started_s=stamp.instant(event.get("startTime")),
            ended_s=stamp.instant(event.get("endTime")),
            message=text(diagnostics.get("message")),
            error_code=text(diagnostics.get("errorCode")),
            script=text(diagnostics.get("scriptName")),
        )


def _weight(value: object) -> float | None:
    # The documentation says percentage, but the one captured Lambda target has a fraction.
    weight = number(value)
    if weight is None or weight < 0 or weight > 100:
        return None
    return weight if weight <= 1 else weight / 100


def alias_seen(function: str, alias: str, answer: Mapping[str, Any], stamp: Stamp) -> AliasSeen | LookFailed:
    """From GetAlias, which has no RoutingConfig if all traffic goes to one version."""
    version = text(answer.get("FunctionVersion"))
    if version is None:
        return stamp.unreadable("an alias without FunctionVersion")
    weights = mapping(mapping(answer.get("RoutingConfig")).get("AdditionalVersionWeights"))
    shares = {text(key): _weight(value) for key, value in weights.items()}
    return AliasSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        function=function,
        alias=alias,
        version=version,
        weights={key: share for key, share in shares.items() if key is not None and share is not None},
    )


def group_seen(info: object, stamp: Stamp) -> GroupSeen | LookFailed:
    """From a DeploymentGroupInfo; rollback events count only where automatic rollback is enabled."""
    known = mapping(info)
    application, group = text(known.get("applicationName")), text(known.get("deploymentGroupName"))
    if application is None or group is None:
        return stamp.unreadable("a deployment group without application or name")
    alarms = mapping(known.get("alarmConfiguration"))
    return GroupSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        application=application,
        group=group,
        config=text(known.get("deploymentConfigName")) or "",
        alarms=_names_of(alarms),
        alarms_enabled=alarms.get("enabled") is True,
        rollback_events=_rollback_events_of(known.get("autoRollbackConfiguration")) or (),
        ignore_poll_failure=alarms.get("ignorePollAlarmFailure") is True,
    )


def _alarms_of(configuration: object) -> tuple[str, ...] | None:
    """The alarms of an AlarmConfiguration, none where it is switched off; None where there is none."""
    alarms = mapping(configuration)
    if not alarms:
        return None
    return _names_of(alarms) if alarms.get("enabled") is True else ()


def _names_of(alarms: Mapping[str, Any]) -> tuple[str, ...]:
    named = (text(mapping(alarm).get("name")) for alarm in sequence(alarms.get("alarms")))
    return tuple(name for name in named if name is not None)


def _rollback_events_of(configuration: object) -> tuple[str, ...] | None:
    """The events of an AutoRollbackConfiguration, none where it is switched off; None where there is none."""
    rollback = mapping(configuration)
    if not rollback:
        return None
    events = sequence(rollback.get("events")) if rollback.get("enabled") is True else ()
    return tuple(word for word in map(text, events) if word is not None)


_Kind = Literal["all_at_once", "canary", "linear"]
_KINDS: Mapping[str, tuple[_Kind, str, str, str]] = {
    "AllAtOnce": ("all_at_once", "", "", ""),
    "TimeBasedCanary": ("canary", "timeBasedCanary", "canaryPercentage", "canaryInterval"),
    "TimeBasedLinear": ("linear", "timeBasedLinear", "linearPercentage", "linearInterval"),
}


def config_seen(name: str, info: object, stamp: Stamp) -> ConfigSeen | LookFailed:
    """From a DeploymentConfigInfo, whose intervals are minutes and whose steps are percent."""
    routing = mapping(mapping(info).get("trafficRoutingConfig"))
    kind = text(routing.get("type")) or "none"
    if kind not in _KINDS:
        return stamp.unreadable(f"deployment configuration {name} routes traffic in an unknown way: {kind}")
    word, part, percentage, interval = _KINDS[kind]
    shift = mapping(routing.get(part))
    percent, minutes = number(shift.get(percentage)), number(shift.get(interval))
    return ConfigSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        name=name,
        kind=word,
        step=None if percent is None else percent / 100,
        interval_s=None if minutes is None else minutes * 60,
    )


def alarm_seen(alarm: Mapping[str, Any], stamp: Stamp) -> AlarmSeen | LookFailed:
    """From an entry of DescribeAlarms; an unknown state gives a LookFailed."""
    name, word = text(alarm.get("AlarmName")), text(alarm.get("StateValue"))
    state = _STATES.get(word or "")
    if name is None or state is None:
        return stamp.unreadable(f"alarm {name} is in an unknown state: {word}")
    since = stamp.instant(alarm.get("StateTransitionedTimestamp"))
    return AlarmSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        name=name,
        state=state,
        reason=text(alarm.get("StateReason")) or "",
        since_s=since if since is not None else stamp.instant(alarm.get("StateUpdatedTimestamp")),
    )


def alarms_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of one DescribeAlarms answer, of every kind."""
    return [mapping(alarm) for key in LISTS_OF_ALARMS for alarm in sequence(answer.get(key))]


def alarms_gone(names: Iterable[str], listed: Iterable[str | None], stamp: Stamp) -> list[AlarmGone]:
    """One event for each of `names` that was asked for and not listed: CloudWatch returns no error for it."""
    absent = set(names) - set(listed)
    return [AlarmGone(asked_s=stamp.asked_s, at_s=stamp.at_s, name=name) for name in sorted(absent)]


def alarm_changed(item: object, stamp: Stamp) -> AlarmChanged | LookFailed:
    """From a StateUpdate item of DescribeAlarmHistory; HistorySummary is used if HistoryData cannot be read."""
    known = mapping(item)
    name, changed_s = text(known.get("AlarmName")), stamp.instant(known.get("Timestamp"))
    said = _CHANGE.search(text(known.get("HistorySummary")) or "")
    changes = json_of(known.get("HistoryData"))
    old, new = mapping(changes.get("oldState")), mapping(changes.get("newState"))
    old_word = text(old.get("stateValue")) or (said["old"] if said else None)
    new_word = text(new.get("stateValue")) or (said["new"] if said else None)
    if name is None or changed_s is None or old_word is None or new_word is None:
        return stamp.unreadable(f"a history item of alarm {name} without date or states")
    return AlarmChanged(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        name=name,
        changed_s=changed_s,
        from_state=old_word,
        to_state=new_word,
        reason=text(new.get("stateReason")) or "",
        datapoints=_recent_datapoints(new.get("stateReasonData")),
    )


def _recent_datapoints(reason: object) -> tuple[float, ...]:
    points = map(number, sequence(json_of(reason).get("recentDatapoints")))
    return tuple(point for point in points if point is not None)


def metric_seen(metric: str, version: str | None, period_s: int, result: object, stamp: Stamp) -> MetricSeen:
    """From one MetricDataResult."""
    return MetricSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        metric=metric,
        version=version,
        period_s=period_s,
        points=points_of(result, stamp),
    )


def alias_metric_seen(metric: str, alias: str, result: object, stamp: Stamp) -> AliasMetricSeen:
    """From one MetricDataResult of a metric by the alias, by the minute."""
    points = points_of(result, stamp)
    return AliasMetricSeen(
        asked_s=stamp.asked_s, at_s=stamp.at_s, metric=metric, alias=alias, period_s=60, points=points
    )


def alarm_metric_seen(alarm: str, query: MetricQuery, result: object, stamp: Stamp) -> AlarmMetricSeen:
    """From one MetricDataResult of a metric that an alarm reads."""
    return AlarmMetricSeen(
        asked_s=stamp.asked_s,
        at_s=stamp.at_s,
        alarm=alarm,
        query=query.id,
        period_s=query.period_s or 60,
        points=points_of(result, stamp),
    )


def points_of(result: object, stamp: Stamp) -> tuple[tuple[float, float], ...]:
    """The datapoints of one MetricDataResult, oldest first; one without date or value is left out."""
    known = mapping(result)
    dates = map(stamp.instant, sequence(known.get("Timestamps")))
    values = map(number, sequence(known.get("Values")))
    points = ((date, value) for date, value in zip(dates, values, strict=False) if date is not None)
    return tuple(sorted((date, value) for date, value in points if value is not None))


def json_of(value: object) -> Mapping[str, Any]:
    """A structure in a text of JSON; anything else is an empty one."""
    if not isinstance(value, str):
        return mapping(value)
    try:
        return mapping(json.loads(value))
    except (ValueError, RecursionError):
        return {}
