"""How long this account took: from the period that decided to ALARM, and from there to the stop of a deployment.

Read from the histories of a group's alarms and from its last deployments; nothing is changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from harness.aws.clients import Caller, paged
from harness.aws.parsing import json_of
from harness.core.foreign import mapping, number, sequence, text

ALARM_ACTIVE = "ALARM_ACTIVE"
DEPLOYMENTS = 25
"""How many of the last stopped deployments are read: as many as one call describes."""
LONGEST_DELAY_S = 600.0
"""What took longer was not the delay of an alarm: data that came late, or a rule that was changed meanwhile."""
KINDS = ("MetricAlarm", "CompositeAlarm")
_NO_DATA = "Insufficient Data: "
"""How CloudWatch begins the reason of an evaluation that found too few datapoints (captured)."""
_STAMP = "%Y-%m-%dT%H:%M:%S.%f%z"


class FoundDelays(Struct, frozen=True):
    """The delays that were found, in seconds, each sorted."""

    alarm_s: tuple[float, ...] = ()
    stop_s: tuple[float, ...] = ()


class Rang(Struct, frozen=True):
    """One change of an alarm to ALARM; `decided` is the end of the newest period that it judged.

    None where that is not told: it was forced, missing data decided, or the alarm was new, or forced, before.
    """

    alarm: str
    at: datetime
    decided: datetime | None = None


def learn(aws: Caller, application: str, group: str) -> FoundDelays:
    """The delays of a deployment group. Raises HarnessError where AWS cannot be asked."""
    where = {"applicationName": application, "deploymentGroupName": group}
    described = mapping(aws.call("codedeploy", "get_deployment_group", **where).get("deploymentGroupInfo"))
    listed = sequence(mapping(described.get("alarmConfiguration")).get("alarms"))
    names = [name for alarm in listed if (name := text(mapping(alarm).get("name")))]
    rang = [change for name in names for change in _rang(aws, name)]
    stopped = [_stop_delay(info, rang) for info in _stopped(aws, where)]
    return FoundDelays(
        alarm_s=tuple(sorted(delay for change in rang if (delay := _alarm_delay(change)) is not None)),
        stop_s=tuple(sorted(delay for delay in stopped if delay is not None)),
    )


def _rang(aws: Caller, name: str) -> Iterator[Rang]:
    asked = {"AlarmName": name, "AlarmTypes": list(KINDS), "HistoryItemType": "StateUpdate", "MaxRecords": 100}
    for page in paged(
        lambda more: aws.call("cloudwatch", "describe_alarm_history", **asked, **more), lambda answer: answer
    ):
        for item in map(mapping, sequence(page.get("AlarmHistoryItems"))):
            change, at = json_of(item.get("HistoryData")), item.get("Timestamp")
            old, new = mapping(change.get("oldState")), mapping(change.get("newState"))
            if new.get("stateValue") == "ALARM" and isinstance(at, datetime):
                data = json_of(new.get("stateReasonData")) if _was_evaluated(old) else {}
                yield Rang(name, at, _decided(data))


def _was_evaluated(old: Mapping[str, Any]) -> bool:
    """Whether the state before was the outcome of an evaluation: of a new or forced alarm the delay says nothing."""
    by_missing_data = (text(old.get("stateReason")) or "").startswith(_NO_DATA)
    return old.get("stateValue") == "OK" or (old.get("stateValue") == "INSUFFICIENT_DATA" and by_missing_data)


def _decided(data: Mapping[str, Any]) -> datetime | None:
    """The end of the newest period that was judged; None where it had no data, or the state was forced."""
    period_s = number(data.get("period"))
    points = [mapping(point) for point in sequence(data.get("evaluatedDatapoints"))]
    starts = [start for point in points if (start := _instant(point.get("timestamp")))]
    if not period_s or not starts or any("value" not in point for point in points):
        return None
    return max(starts) + timedelta(seconds=period_s)


def _instant(value: object) -> datetime | None:
    try:
        return datetime.strptime(str(value), _STAMP)
    except ValueError:
        return None


def _alarm_delay(change: Rang) -> float | None:
    delay_s = (change.at - change.decided).total_seconds() if change.decided else -1.0
    return delay_s if 0 <= delay_s <= LONGEST_DELAY_S else None


def _stopped(aws: Caller, where: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    answer = aws.call("codedeploy", "list_deployments", **where, includeOnlyStatuses=["Stopped"])
    ids = sequence(answer.get("deployments"))[:DEPLOYMENTS]
    if not ids:
        return []
    described = aws.call("codedeploy", "batch_get_deployments", deploymentIds=ids)
    infos = [mapping(info) for info in sequence(described.get("deploymentsInfo"))]
    return [info for info in infos if mapping(info.get("errorInformation")).get("code") == ALARM_ACTIVE]


def _stop_delay(info: Mapping[str, Any], rang: Sequence[Rang]) -> float | None:
    """From the alarm's ALARM to the deployment's end; None unless one alarm rang once, so that it is sure which."""
    began, ended = info.get("createTime"), info.get("completeTime")
    if not isinstance(began, datetime) or not isinstance(ended, datetime):
        return None
    named = text(mapping(info.get("errorInformation")).get("message")) or ""
    during = [change.at for change in rang if began < change.at <= ended and f"<{change.alarm}>" in named]
    return (ended - during[0]).total_seconds() if len(during) == 1 else None
