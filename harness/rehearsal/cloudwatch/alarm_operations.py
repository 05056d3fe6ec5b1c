"""CloudWatch's operations on alarms."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.rehearsal.cloudwatch import paging, rule
from harness.rehearsal.cloudwatch.alarms import AlarmStore, StoredAlarm
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.cloudwatch.definition import check_actions, definition
from harness.rehearsal.cloudwatch.fed import CONCURRENCY, blindness, concurrency_at, metrics_in
from harness.rehearsal.cloudwatch.history import HistoryItem
from harness.rehearsal.cloudwatch.queries import dimensions_of
from harness.rehearsal.cloudwatch.reasons import compact
from harness.rehearsal.cloudwatch.requests import CheckedService, invalid, seconds, timestamp
from harness.rehearsal.cloudwatch.rule import name_of
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

ALARMS_A_PAGE = 50
ITEMS_A_PAGE = 100
MOST_TAGS = 50
STACK_S = 180.0
"""How long an alarm's API may take to come, in simulated time, while a stack is being made."""
STACK_LOOK_S = 10.0

_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_NO_CONFIGURATION = ("AlarmName", "Tags")
_SELECTIONS = ("AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix")
_OF_CHILDREN = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")
_OF_PARENTS = ("AlarmName", "AlarmArn")

log = logging.getLogger(__name__)


class AlarmOperations(CheckedService):
    """What CloudWatch does with alarms."""

    _alarms: AlarmStore
    apis: Callable[[], Sequence[ApiName]] = tuple
    """The API that the gateway serves, whose metrics there will be; None where that is not known."""
    stack_is_made: Callable[[], bool] = staticmethod(lambda: False)
    """Whether a stack is being made or changed."""

    def states(self, names: Iterable[str]) -> dict[str, str]:
        """The StateValue of those alarms that exist, metric and composite, by name."""
        alarms = [self._alarms.get(name) for name in names]
        return {alarm.name: alarm.state.value for alarm in alarms if alarm}

    @operation
    def put_metric_alarm(self, params: Params) -> Answer:
        """PutMetricAlarm: a new alarm begins in INSUFFICIENT_DATA; an updated one keeps its state and its tags."""
        watch = definition(params)
        self._warn_of_blindness(params, until_s=self._now() + STACK_S)
        if CONCURRENCY in metrics_in(params) and (too_soon := concurrency_at(self._schedule.clock.speed)):
            log.warning("The alarm %s: %s", params["AlarmName"], too_soon)
        self._refuse_other_kind(params["AlarmName"], "MetricAlarm")
        if "Metrics" not in params:
            params = {"Dimensions": [], **params}
        self._alarms.put(params["AlarmName"], _configuration(params), watch, _tags(params))
        return {}

    @operation
    def put_composite_alarm(self, params: Params) -> Answer:
        """PutCompositeAlarm; an actions suppressor is stored and does nothing, because no action is ever done."""
        name = params["AlarmName"]
        watch = rule.parse(params["AlarmRule"])
        check_actions(params)
        unknown = [child for child in rule.children(watch) if self._alarms.get(child) is None]
        if unknown:
            named = ", ".join(unknown)
            raise invalid(f"Could not save the composite alarm as alarms [{named}] in the alarm rule do not exist")
        self._refuse_other_kind(name, "CompositeAlarm")
        self._check_suppressor(params)
        self._alarms.put(name, _configuration(params), watch, _tags(params))
        return {}

    @operation
    def describe_alarms(self, params: Params) -> Answer:
        """DescribeAlarms: metric alarms alone, unless AlarmTypes asks for others."""
        shown = self._selected(params)
        (offset,) = paging.numbers(params.get("NextToken"), first=(0,))
        alarms, following = paging.page(shown, params.get("MaxRecords", ALARMS_A_PAGE), offset)
        members = next((of for name, of in _RELATIVES.items() if name in params), None)
        answer: Answer = {
            "MetricAlarms": [_described(alarm, members) for alarm in alarms if alarm.kind == "MetricAlarm"],
            "CompositeAlarms": [_described(alarm, members) for alarm in alarms if alarm.kind == "CompositeAlarm"],
        }
        return answer if following is None else {**answer, "NextToken": paging.token(following)}

    @operation
    def describe_alarms_for_metric(self, params: Params) -> Answer:
        """DescribeAlarmsForMetric: the alarms on exactly this metric; those on metric math are not among them."""
        return {"MetricAlarms": [_described(alarm) for alarm in self._alarms if _watches(params, alarm.configuration)]}

    @operation
    def describe_alarm_history(self, params: Params) -> Answer:
        """DescribeAlarmHistory, newest first unless told otherwise; composite alarms' only if AlarmTypes asks.

        Assumption: newest first is the default, which AWS's documentation does not state.
        """
        offset, latest = paging.numbers(params.get("NextToken"), first=(0, self._alarms.history.latest))
        found = [item for item in self._alarms.history.up_to(latest) if _recalled(item, params)]
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        items, following = paging.page(found, params.get("MaxRecords", ITEMS_A_PAGE), offset)
        answer: Answer = {"AlarmHistoryItems": [_told(item) for item in items]}
        return answer if following is None else {**answer, "NextToken": paging.token(following, latest)}

    @operation
    def delete_alarms(self, params: Params) -> Answer:
        """DeleteAlarms: names that do not exist are passed over."""
        chosen = [alarm for name in dict.fromkeys(params["AlarmNames"]) if (alarm := self._alarms.get(name))]
        if sum(alarm.kind == "CompositeAlarm" for alarm in chosen) > 1:
            raise invalid("Only one composite alarm can be deleted at a time.")
        names = {alarm.name for alarm in chosen}
        for alarm in chosen:
            if {parent.name for parent in self._alarms.parents(alarm.name)} - names:
                raise invalid(f"Cannot delete {alarm.name} as there are composite alarm(s) depending on it.")
        for alarm in chosen:
            self._alarms.delete(alarm.name)
        return {}

    @operation
    def enable_alarm_actions(self, params: Params) -> Answer:
        """EnableAlarmActions: names that do not exist are passed over."""
        return self._set_actions(params["AlarmNames"], enabled=True)

    @operation
    def disable_alarm_actions(self, params: Params) -> Answer:
        """DisableAlarmActions: names that do not exist are passed over."""
        return self._set_actions(params["AlarmNames"], enabled=False)

    @operation
    def set_alarm_state(self, params: Params) -> Answer:
        """SetAlarmState: a metric alarm keeps it until its next evaluation, a composite one until a child changes."""
        if self._alarms.get(params["AlarmName"]) is None:
            raise Refusal("ResourceNotFound", "")  # captured: without a message
        data = _parsed_reason_data(params.get("StateReasonData"))
        self._alarms.force(params["AlarmName"], params["StateValue"], params["StateReason"], data)
        return {}

    @operation
    def tag_resource(self, params: Params) -> Answer:
        """TagResource, for alarms."""
        alarm = self._by_arn(params["ResourceARN"])
        tags = {**alarm.tags, **_tags(params)}
        if len(tags) > MOST_TAGS:
            raise Refusal("InvalidParameterValue", f"A resource must not have more than {MOST_TAGS} tags.")
        self._alarms.tag(alarm.name, tags)
        return {}

    @operation
    def untag_resource(self, params: Params) -> Answer:
        """UntagResource, for alarms; tags that are not there are passed over."""
        alarm = self._by_arn(params["ResourceARN"])
        kept = {key: value for key, value in alarm.tags.items() if key not in params["TagKeys"]}
        self._alarms.tag(alarm.name, kept)
        return {}

    @operation
    def list_tags_for_resource(self, params: Params) -> Answer:
        """ListTagsForResource, for alarms; one that was deleted has none (captured)."""
        arn = params["ResourceARN"]
        known = self._alarms.get(name_of(arn)) is not None or not self._alarms.is_arn(arn)
        tags = self._by_arn(arn).tags if known else {}
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _warn_of_blindness(self, params: Params, until_s: float) -> None:
        """Warns of an alarm without data: at once, or where a stack is being made, which may have its API, later."""
        now_s = self._now()
        if self.stack_is_made() and now_s < until_s:
            self._schedule.at(now_s + STACK_LOOK_S, lambda _: self._warn_of_blindness(params, until_s))
            return
        for reason in blindness(params, account=self._alarms.account, apis=self.apis()):
            log.warning("The alarm %s will have no data: %s.", params["AlarmName"], reason)

    def _refuse_other_kind(self, name: str, kind: str) -> None:
        existing = self._alarms.get(name)
        if existing and existing.kind != kind:
            raise invalid(f"An alarm named {name} exists already and is a {existing.kind}.")

    def _check_suppressor(self, params: Params) -> None:
        suppressor = params.get("ActionsSuppressor")
        periods = [name for name in _SUPPRESSOR_PERIODS if name in params]
        if suppressor is None and periods:
            raise invalid(f"{periods[0]} requires an ActionsSuppressor.")
        if suppressor is not None and len(periods) < len(_SUPPRESSOR_PERIODS):
            raise invalid(f"ActionsSuppressor requires {' and '.join(_SUPPRESSOR_PERIODS)}.")
        if suppressor is not None and self._alarms.get(name_of(suppressor)) is None:
            raise invalid(f"ActionsSuppressor {suppressor} does not exist.")

    def _selected(self, params: Params) -> Sequence[StoredAlarm]:
        for name in _RELATIVES:
            if name in params:
                return self._relatives(name, params)
        if "AlarmNames" in params and "AlarmNamePrefix" in params:
            message = "AlarmNames and AlarmNamePrefix cannot both be specified."
            raise Refusal("InvalidParameterCombination", message)
        return [alarm for alarm in self._alarms if _selects(params, alarm)]

    def _relatives(self, name: str, params: Params) -> Sequence[StoredAlarm]:
        others = [other for other in (*_SELECTIONS, *_RELATIVES) if other in params and other != name]
        if others:
            raise invalid(f"{name} cannot be specified together with {', '.join(others)}.")
        alarm = self._alarms.get(params[name])
        if alarm is None:
            raise Refusal("ResourceNotFound", f"Alarm {params[name]} does not exist")
        if name == "ParentsOfAlarmName":
            return self._alarms.parents(alarm.name)
        return [child for child in self._alarms if child.name in alarm.children]

    def _set_actions(self, names: Iterable[str], *, enabled: bool) -> Params:
        for name in names:
            alarm = self._alarms.get(name)
            if alarm and alarm.configuration["ActionsEnabled"] != enabled:
                self._alarms.configure(name, {**alarm.configuration, "ActionsEnabled": enabled})
        return {}

    def _by_arn(self, arn: str) -> StoredAlarm:
        alarm = self._alarms.get(name_of(arn))
        if alarm is None or alarm.arn != arn:
            raise Refusal("ResourceNotFoundException", f"{arn} does not exist")
        return alarm


_RELATIVES = {"ChildrenOfAlarmName": _OF_CHILDREN, "ParentsOfAlarmName": _OF_PARENTS}
_OF_METRIC = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
_SUPPRESSOR_PERIODS = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")


def _configuration(params: Params) -> Params:
    given = {name: value for name, value in params.items() if name not in _NO_CONFIGURATION}
    return {"ActionsEnabled": True, **{name: [] for name in _ACTIONS}, **given}


def _tags(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}


def _parsed_reason_data(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Refusal("InvalidFormat", f"StateReasonData is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Refusal("InvalidFormat", "StateReasonData is not a JSON object.")
    return data


def _selects(params: Params, alarm: StoredAlarm) -> bool:
    actions = [action for name in _ACTIONS for action in alarm.configuration[name]]
    wanted: tuple[tuple[str, Callable[[Any], bool]], ...] = (
        ("AlarmNames", lambda names: alarm.name in names),
        ("AlarmNamePrefix", alarm.name.startswith),
        ("StateValue", lambda value: alarm.state.value == value),
        ("ActionPrefix", lambda prefix: any(action.startswith(prefix) for action in actions)),
    )
    if alarm.kind not in params.get("AlarmTypes", ("MetricAlarm",)):
        return False
    return all(fits(params[name]) for name, fits in wanted if name in params)


def _watches(params: Params, configuration: Params) -> bool:
    wanted = [name for name in _OF_METRIC if name in params]
    dimensions = dimensions_of(configuration.get("Dimensions", ()))
    return dimensions == dimensions_of(params.get("Dimensions", ())) and all(
        configuration.get(name) == params[name] for name in wanted
    )


def _described(alarm: StoredAlarm, members: Sequence[str] | None = None) -> Params:
    state = alarm.state
    described: Params = {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        **alarm.configuration,
        "AlarmConfigurationUpdatedTimestamp": timestamp(alarm.configured_s),
        "StateValue": state.value,
        "StateReason": state.reason,
        "StateUpdatedTimestamp": timestamp(state.updated_s),
        "StateTransitionedTimestamp": timestamp(state.since_s),
    }
    if state.data:
        described["StateReasonData"] = compact(state.data)
    return {name: described[name] for name in members} if members else described


def _recalled(item: HistoryItem, params: Params) -> bool:
    start_s = seconds(params["StartDate"]) if "StartDate" in params else item.at_s
    end_s = seconds(params["EndDate"]) if "EndDate" in params else item.at_s
    return (
        item.alarm == params.get("AlarmName", item.alarm)
        and item.kind in params.get("AlarmTypes", ("MetricAlarm",))
        and item.type == params.get("HistoryItemType", item.type)
        and start_s <= item.at_s <= end_s
    )


def _told(item: HistoryItem) -> Params:
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.kind,
        "Timestamp": timestamp(item.at_s),
        "HistoryItemType": item.type,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }
