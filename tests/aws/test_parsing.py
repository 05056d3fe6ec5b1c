"""AWS's answers become events: captured shapes, odd shapes, and anything at all."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.aws import parsing
from harness.aws.parsing import Stamp
from harness.core.timeline.alarm_definitions import alarm_defined
from harness.core.timeline.composites import children_of
from harness.core.timeline.deployments import is_rollback
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    GroupSeen,
    LifecycleEvent,
    LookFailed,
    TargetSeen,
    decode,
    encode,
)

EPOCH_S = 1_787_418_400.0


def date(epoch_s: float) -> datetime:
    """A date as boto3 gives it."""
    return datetime.fromtimestamp(epoch_s, UTC)


STOPPED_BY_ALARM = {
    "deploymentId": "d-9Y84SF70K",
    "applicationName": "intake",
    "deploymentGroupName": "intake-live",
    "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    "status": "Stopped",
    "creator": "user",
    "computePlatform": "Lambda",
    "createTime": date(1787418484.846),
    "completeTime": date(1787418485.580),
    "errorInformation": {
        "code": "ALARM_ACTIVE",
        "message": "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "
        "and the affected deployments have been stopped. Activated alarms: <intake-api-5xx> <intake-errors>",
    },
    "rollbackInfo": {
        "rollbackDeploymentId": "d-KSA62M70K",
        "rollbackMessage": "Deployment d-9Y84SF70K terminated. Automatic rollback is triggered with a DeploymentId "
        "d-KSA62M70K.",
    },
    "additionalDeploymentStatusInfo": "a plain string",
    "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "0" * 64}},
}
ROLLBACK = {
    "deploymentId": "d-KSA62M70K",
    "status": "Succeeded",
    "creator": "codeDeployRollback",
    "rollbackInfo": {
        "rollbackTriggeringDeploymentId": "d-9Y84SF70K",
        "rollbackMessage": "Deployment d-KSA62M70K is triggered to roll back deployment d-9Y84SF70K.",
    },
}
TARGET = {
    "deploymentTargetType": "LambdaTarget",
    "lambdaTarget": {
        "deploymentId": "d-1",
        "targetId": "t",
        "status": "InProgress",
        "lastUpdatedAt": date(1787418480.2),
        "lifecycleEvents": [
            {
                "lifecycleEventName": "BeforeAllowTraffic",
                "startTime": date(1787418477.9),
                "endTime": date(1787418478.5),
                "status": "Succeeded",
            },
            {"lifecycleEventName": "AllowTraffic", "startTime": date(1787418478.8), "status": "InProgress"},
            {"lifecycleEventName": "AfterAllowTraffic", "status": "Pending"},
        ],
        "lambdaFunctionInfo": {
            "functionName": "fn",
            "functionAlias": "live",
            "currentVersion": "1",
            "targetVersion": "2",
            "targetVersionWeight": 0.1,
        },
    },
}
HISTORY_DATA = (
    '{"version":"1.0","oldState":{"stateValue":"OK","stateReason":"fine"},"newState":{"stateValue":"ALARM","stateReason":'
    '"Threshold Crossed: 1 out of the last 1 datapoints [6.0 (25/09/22 18:49:00)] was greater than the threshold (5.0) '
    '(minimum 1 datapoint for OK -> ALARM transition).","stateReasonData":{"version":"1.0","queryDate":'
    '"2022-09-25T18:50:37.053+0000","statistic":"Sum","period":60,"recentDatapoints":[6.0],"threshold":5.0}}}'
)
CHANGE = {
    "AlarmName": "errors",
    "AlarmType": "MetricAlarm",
    "Timestamp": date(EPOCH_S + 75.123),
    "HistoryItemType": "StateUpdate",
    "HistorySummary": "Alarm updated from OK to ALARM",
    "HistoryData": HISTORY_DATA,
}
ALARM = {
    "AlarmName": "errors",
    "StateValue": "ALARM",
    "StateReason": "Threshold Crossed",
    "StateUpdatedTimestamp": date(EPOCH_S + 80),
    "StateTransitionedTimestamp": date(EPOCH_S + 75.123),
    "MetricName": "Errors",
    "Namespace": "AWS/Lambda",
    "Statistic": "Sum",
    "Dimensions": [{"Name": "FunctionName", "Value": "fn"}],
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 3.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


def seen(event: Any, kind: type) -> Any:
    """The event, which must be of this type."""
    assert isinstance(event, kind)
    return event


def test_a_deployment_stopped_by_an_alarm_keeps_its_reason_and_its_rollback(stamp: Stamp) -> None:
    """The error code and the id of the rollback come from the forward deployment itself."""
    event = seen(parsing.deployment_seen(STOPPED_BY_ALARM, stamp), DeploymentSeen)
    assert (event.status, event.error_code, event.rollback_id) == ("Stopped", "ALARM_ACTIVE", "d-KSA62M70K")
    assert event.rollback_of is None
    assert not is_rollback(event)


@pytest.mark.parametrize(
    ("override", "alarms"),
    [
        ({"enabled": False, "alarms": []}, ()),
        ({"enabled": False, "alarms": [{"name": "a"}]}, ()),
        ({"enabled": True, "alarms": [{"name": "a"}, {}]}, ("a",)),
        ({}, None),
        (None, None),
    ],
)
def test_alarms_of_a_deployment_itself_are_read(override: Any, alarms: Any, stamp: Stamp) -> None:
    """Without them the group's count."""
    info = {**STOPPED_BY_ALARM, "overrideAlarmConfiguration": override}
    assert seen(parsing.deployment_seen(info, stamp), DeploymentSeen).alarms == alarms


@pytest.mark.parametrize(
    ("rollback", "events"),
    [
        ({"enabled": False, "events": ["DEPLOYMENT_FAILURE"]}, ()),
        ({"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}, ("DEPLOYMENT_FAILURE",)),
        (None, None),
    ],
)
def test_rollback_events_of_a_deployment_itself_are_read(rollback: Any, events: Any, stamp: Stamp) -> None:
    """What is switched off counts as none."""
    info = {**STOPPED_BY_ALARM, "autoRollbackConfiguration": rollback}
    assert seen(parsing.deployment_seen(info, stamp), DeploymentSeen).rollback_events == events


def test_a_hook_that_timed_out_says_so(stamp: Stamp) -> None:
    """Its function and CodeDeploy's word for it come with the event, and its log does not: it may hold secrets."""
    diagnostics = {"errorCode": "ScriptTimedOut", "scriptName": "pre", "message": "no report", "logTail": "token=1"}
    hook = {"lifecycleEventName": "BeforeAllowTraffic", "status": "Failed", "diagnostics": diagnostics}
    target = {"lambdaTarget": {**TARGET["lambdaTarget"], "lifecycleEvents": [hook]}}  # type: ignore[dict-item]
    (event,) = seen(parsing.target_seen("d-1", target, stamp), TargetSeen).lifecycle
    assert (event.error_code, event.script, event.message) == ("ScriptTimedOut", "pre", "no report")
    assert "token" not in str(event)


def test_dates_become_seconds_since_the_run_began(stamp: Stamp) -> None:
    """AWS's dates are counted from the run's epoch; what is missing is None."""
    event = seen(parsing.deployment_seen(STOPPED_BY_ALARM, stamp), DeploymentSeen)
    assert (event.created_s, event.completed_s) == pytest.approx((84.846, 85.580))
    assert event.started_s is None
    assert (event.asked_s, event.at_s) == (10.0, 10.5)


def test_a_rollback_deployment_names_what_it_undoes(stamp: Stamp) -> None:
    """The rollback side of rollbackInfo points back to the forward deployment."""
    event = seen(parsing.deployment_seen(ROLLBACK, stamp), DeploymentSeen)
    assert event.rollback_of == "d-9Y84SF70K"
    assert is_rollback(event)


def test_an_empty_rollback_info_is_no_rollback_yet(stamp: Stamp) -> None:
    """CodeDeploy fills rollbackInfo about half a second after the deployment ended."""
    event = seen(parsing.deployment_seen({**STOPPED_BY_ALARM, "rollbackInfo": {}}, stamp), DeploymentSeen)
    assert (event.rollback_id, event.rollback_of, event.rollback_message) == (None, None, None)


def test_an_unknown_deployment_status_is_passed_on(stamp: Stamp) -> None:
    """A word that CodeDeploy may learn tomorrow reaches the timeline as it is."""
    event = seen(parsing.deployment_seen({**ROLLBACK, "status": "Pondering"}, stamp), DeploymentSeen)
    assert event.status == "Pondering"


def test_a_deployment_without_status_is_a_failed_look(stamp: Stamp) -> None:
    """A sighting that does not say the status is no sighting."""
    event = seen(parsing.deployment_seen({"deploymentId": "d-1"}, stamp), LookFailed)
    assert (event.code, event.call) == ("UnexpectedAnswer", "service:Operation")


def test_a_target_in_the_canary_window_shows_versions_weight_and_events(stamp: Stamp) -> None:
    """GetDeploymentTarget says which version takes which share, and how far the lifecycle is."""
    event = seen(parsing.target_seen("d-1", TARGET, stamp), TargetSeen)
    assert (event.function, event.alias, event.current_version, event.target_version) == ("fn", "live", "1", "2")
    assert event.weight == 0.1
    assert event.lifecycle[0] == LifecycleEvent(
        name="BeforeAllowTraffic", status="Succeeded", started_s=77.9, ended_s=78.5
    )
    assert [step.status for step in event.lifecycle] == ["Succeeded", "InProgress", "Pending"]


@pytest.mark.parametrize(("said", "weight"), [(0.1, 0.1), (1.0, 1.0), (10.0, 0.1), (100, 1.0), (0, 0.0), (250, None)])
def test_a_weight_is_a_fraction_whether_aws_says_percent_or_fraction(
    stamp: Stamp, said: float, weight: float | None
) -> None:
    """The documentation and the capture disagree, so both readings give 0..1."""
    target = {"lambdaTarget": {"status": "InProgress", "lambdaFunctionInfo": {"targetVersionWeight": said}}}
    assert seen(parsing.target_seen("d-1", target, stamp), TargetSeen).weight == weight


def test_a_target_before_its_hook_may_have_no_function_info(stamp: Stamp) -> None:
    """During BeforeAllowTraffic lambdaFunctionInfo can be empty."""
    event = seen(parsing.target_seen("d-1", {"lambdaTarget": {"status": "Pending"}}, stamp), TargetSeen)
    assert (event.function, event.weight, event.lifecycle) == (None, None, ())


def test_an_alias_in_the_canary_window_has_weights(stamp: Stamp) -> None:
    """The old version stays FunctionVersion; the new one is the key of the weights."""
    answer = {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}
    assert seen(parsing.alias_seen("fn", "live", answer, stamp), AliasSeen).weights == {"2": 0.1}


def test_an_alias_without_routing_config_has_no_weights(stamp: Stamp) -> None:
    """GetAlias leaves RoutingConfig out where nothing is split."""
    event = seen(parsing.alias_seen("fn", "live", {"FunctionVersion": "2"}, stamp), AliasSeen)
    assert (event.version, event.weights) == ("2", {})


def test_a_group_names_its_alarms_and_its_rollback_events(stamp: Stamp) -> None:
    """The alarm list of the deployment group is the truth about the net."""
    group = {
        "applicationName": "shop",
        "deploymentGroupName": "live",
        "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
        "alarmConfiguration": {
            "enabled": True,
            "ignorePollAlarmFailure": True,
            "alarms": [{"name": "a"}, {"name": "b"}],
        },
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    }
    event = seen(parsing.group_seen(group, stamp), GroupSeen)
    assert (event.alarms, event.alarms_enabled, event.ignore_poll_failure) == (("a", "b"), True, True)
    assert event.rollback_events == ("DEPLOYMENT_FAILURE",)


def test_rollback_events_do_not_count_while_rollback_is_disabled(stamp: Stamp) -> None:
    """A disabled configuration keeps its list of events, but none of them rolls back."""
    group = {
        "applicationName": "shop",
        "deploymentGroupName": "live",
        "autoRollbackConfiguration": {"enabled": False, "events": ["DEPLOYMENT_FAILURE"]},
    }
    event = seen(parsing.group_seen(group, stamp), GroupSeen)
    assert (event.rollback_events, event.alarms, event.alarms_enabled) == ((), (), False)


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ({"type": "AllAtOnce"}, ("all_at_once", None, None)),
        (
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}},
            ("canary", 0.1, 300.0),
        ),
        (
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 25, "linearInterval": 2}},
            ("linear", 0.25, 120.0),
        ),
    ],
)
def test_a_configuration_says_step_and_interval(stamp: Stamp, routing: dict[str, Any], expected: tuple[Any]) -> None:
    """Percent become a share and minutes become seconds."""
    event = seen(parsing.config_seen("c", {"trafficRoutingConfig": routing}, stamp), ConfigSeen)
    assert (event.kind, event.step, event.interval_s) == expected


def test_a_configuration_of_an_unknown_kind_is_a_failed_look(stamp: Stamp) -> None:
    """A server configuration routes no traffic; a new kind is not guessed at."""
    event = parsing.config_seen("c", {"trafficRoutingConfig": {"type": "TimeBasedSpiral"}}, stamp)
    assert "TimeBasedSpiral" in seen(event, LookFailed).message


def test_a_metric_alarm_is_defined_by_its_rule(stamp: Stamp) -> None:
    """What AWS leaves out has AWS's default: all periods must breach, missing data are missing."""
    event = seen(alarm_defined(ALARM, asked_s=stamp.asked_s, at_s=stamp.at_s), AlarmDefined)
    assert (event.metric, event.dimensions, event.period_s) == ("Errors", {"FunctionName": "fn"}, 60)
    assert (event.evaluation_periods, event.datapoints, event.threshold) == (2, 2, 3.0)
    assert event.missing == "missing"


def test_the_state_of_an_alarm_is_dated_by_its_transition(stamp: Stamp) -> None:
    """StateUpdatedTimestamp also moves without a change of state, StateTransitionedTimestamp does not."""
    event = seen(parsing.alarm_seen(ALARM, stamp), AlarmSeen)
    assert (event.state, event.since_s) == ("ALARM", 75.123)


def test_an_alarm_in_an_unknown_state_is_a_failed_look(stamp: Stamp) -> None:
    """The timeline knows three states; a fourth one is not squeezed into them."""
    event = seen(parsing.alarm_seen({**ALARM, "StateValue": "PANIC"}, stamp), LookFailed)
    assert "errors" in event.message
    assert "PANIC" in event.message


def test_alarms_that_were_not_listed_are_gone(stamp: Stamp) -> None:
    """DescribeAlarms leaves unknown names out silently."""
    assert [event.name for event in parsing.alarms_gone(["a", "b", "c"], ["b", None], stamp)] == ["a", "c"]


def test_a_composite_names_its_children_in_every_spelling() -> None:
    """Rules may quote names, leave the quotes out, or hold ARNs."""
    rule = (
        'ALARM("a one") AND (OK(b) OR NOT INSUFFICIENT_DATA(\'c\')) OR ALARM( "a one" ) OR TRUE OR '
        'ALARM(arn:aws:cloudwatch:eu-north-1:123456789012:alarm:d) OR ALARM("with \\"quotes\\"")'
    )
    assert children_of(rule) == ("a one", "b", "c", "d", 'with "quotes"')


def test_the_alarms_that_a_rule_counts_are_its_children() -> None:
    """Named in the list of AT_LEAST, in order with the others."""
    rule = (
        'ALARM(z) OR AT_LEAST(2, ALARM, (a, "b, (one)", arn:aws:cloudwatch:eu-north-1:123456789012:alarm:c)) '
        "AND AT_LEAST(50%, NOT OK, (d,e)) AND OK(a)"
    )
    assert children_of(rule) == ("z", "a", "b, (one)", "c", "d", "e")


def test_a_state_change_carries_reason_and_datapoints(stamp: Stamp) -> None:
    """HistoryData is JSON in a text, with the datapoints that decided."""
    event = seen(parsing.alarm_changed(CHANGE, stamp), AlarmChanged)
    assert (event.from_state, event.to_state, event.changed_s) == ("OK", "ALARM", 75.123)
    assert event.datapoints == (6.0,)
    assert event.reason.startswith("Threshold Crossed: 1 out of the last 1 datapoints [6.0")


def test_a_state_change_without_readable_history_data_is_read_from_its_summary(stamp: Stamp) -> None:
    """The summary says the two states in words."""
    event = seen(parsing.alarm_changed({**CHANGE, "HistoryData": HISTORY_DATA[:40]}, stamp), AlarmChanged)
    assert (event.from_state, event.to_state, event.reason, event.datapoints) == ("OK", "ALARM", "", ())


def test_metric_points_are_sorted_and_dated(stamp: Stamp) -> None:
    """CloudWatch may answer newest first; points without a value are left out."""
    result = {"Timestamps": [date(EPOCH_S + 60), date(EPOCH_S), date(EPOCH_S - 60)], "Values": [2.0, 1.0]}
    assert parsing.metric_seen("Errors", "2", 60, result, stamp).points == ((0.0, 1.0), (60.0, 2.0))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.just("\ud800")
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(["InProgress", "ALARM", "TimeBasedCanary", HISTORY_DATA, "[", "10e999", '{"newState": 3}'])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
ON_AN_EXPRESSION = {
    **ALARM,
    "Metrics": [
        {"Id": "m1", "MetricStat": {"Metric": {"MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}},
        {"Id": "e1", "Expression": "m1 * 2", "ReturnData": False},
    ],
}
SHAPES: list[Any] = [STOPPED_BY_ALARM, ROLLBACK, TARGET, CHANGE, ALARM, ON_AN_EXPRESSION]


@st.composite
def spoiled(draw: st.DrawFn, shape: Any) -> Any:
    """A captured answer in which any part may be missing or replaced by anything."""
    fate = draw(st.integers(0, 7))
    if fate == 0:
        return draw(anything)
    if isinstance(shape, dict):
        return {key: draw(spoiled(value)) for key, value in shape.items() if draw(st.integers(0, 9))}
    if isinstance(shape, list):
        return [draw(spoiled(value)) for value in shape]
    return shape


def every_event_of(answer: Any, stamp: Stamp) -> list[Any]:
    """Everything that any parser makes of an answer."""
    known = parsing.mapping(answer)
    return [
        parsing.deployment_seen(answer, stamp),
        parsing.target_seen("d-1", answer, stamp),
        parsing.alias_seen("fn", "live", known, stamp),
        parsing.group_seen(answer, stamp),
        parsing.config_seen("c", answer, stamp),
        alarm_defined(known, asked_s=stamp.asked_s, at_s=stamp.at_s),
        parsing.alarm_seen(known, stamp),
        parsing.alarm_changed(answer, stamp),
        parsing.metric_seen("Errors", None, 60, answer, stamp),
    ]


@given(st.sampled_from(SHAPES).flatmap(spoiled) | anything)
@example({"AlarmName": "errors", "Statistic": "Sum", "EvaluationPeriods": 0})
@example({"AlarmName": "errors", "Period": -60, "DatapointsToAlarm": 10**9})
def test_whatever_aws_answers_becomes_events_that_a_timeline_can_hold(answer: Any) -> None:
    """No answer raises, and every event survives being written and read again."""
    stamp = Stamp("service:Operation", 10.0, 10.5, EPOCH_S)
    for event in every_event_of(answer, stamp):
        if event is not None:
            assert list(decode([encode(event)])) == [event]
