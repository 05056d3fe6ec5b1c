"""What the doctor sends, and what it does not."""

from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.arming import Snapshot, why_no_fault, why_no_request
from harness.core.experiment.requests import Request
from harness.core.experiment.types import Experiment, Target, Traffic
from harness.core.timeline.events import AlarmDefined, AlarmGone, AliasMetricSeen, LifecycleEvent, TargetSeen
from tests.core.arming.armed import (
    ALIAS,
    ARMED,
    AT,
    BY_ALIAS,
    ERRORS,
    EXPERIMENT,
    GROUP,
    INVOKED,
    LAST,
    asked,
    lost,
    seeing,
)
from tests.core.arming.test_alarm_forms import RATE, UNJUDGED

# Requests at all


@pytest.mark.parametrize(
    ("host", "packaged", "parts", "sent"),
    [
        ("http://127.0.0.1:3000/shared", False, {}, True),
        ("http://localhost:3000", False, {}, True),
        ("https://api.example.com/shared", False, {}, False),
        ("https://api.example.com/shared", False, {"traffic": Traffic(error_share=0.05, arrival_rate=5)}, False),
        ("https://api.example.com/shared", True, {}, True),
        ("https://api.example.com/shared", False, {"traffic": Traffic(requests={"a": Request(get="/")})}, True),
    ],
)
def test_only_a_host_that_is_meant_gets_requests(host: str, packaged: bool, parts: dict[str, Any], sent: bool) -> None:
    """This machine, or the service that the experiment says it is for."""
    why = why_no_request(Experiment(name="x", target=Target(host=host), **parts), packaged=packaged)
    assert (why is None) == sent
    assert sent or "api.example.com is not this machine" in str(why)


def test_without_a_host_nothing_is_sent() -> None:
    """And that is the reason."""
    assert why_no_request(Experiment(name="x"), packaged=True) == "no host was given"


def test_what_was_not_sent_is_said_with_its_reason() -> None:
    """Both requests."""
    unsent = replace(ARMED, good=None, fault=None, why_no_request="it is not ours", why_no_fault="it is not ours")
    told = [asked(name, unsent) for name in ("good-request", "fault-request")]
    assert [(check.severity, "it is not ours" in check.seen) for check in told] == [("note", True)] * 2


# The fault request


def busy(alarm: AlarmDefined, *, failures: float = 0.0, requests: float = 0.0, **fields: Any) -> Snapshot:
    """A group guarded by this alarm, with so much traffic each minute of the last hour."""
    minutes = range(1, 60)
    of_failures, of_requests = (tuple((-60.0 * minute, count) for minute in minutes) for count in (failures, requests))
    points = {("errors", id_): of_failures for id_ in ("m1", "e")} | {("errors", "i"): of_requests}
    return seeing(alarm, replace(INVOKED, points=of_requests), points=points, **fields)


MOST_OF_TWO = replace(ERRORS, threshold=1.0, evaluation_periods=2, datapoints=2)
AVERAGE = replace(ERRORS, statistic="Average", threshold=0.05)


@pytest.mark.parametrize(
    ("alarm", "failures", "requests", "sent"),
    [
        (ERRORS, 0, 0, True),
        (ERRORS, 1, 50, True),
        (ERRORS, 2, 50, False),
        (replace(ERRORS, threshold=1.0), 0, 1000, False),
        (MOST_OF_TWO, 0, 50, True),
        (MOST_OF_TWO, 1, 50, False),
        (replace(MOST_OF_TWO, missing="breaching"), 0, 0, False),
        (RATE, 0, 0, False),
        (RATE, 0, 4, False),
        (RATE, 0, 1000, True),
        (RATE, 50, 1000, False),
        (AVERAGE, 0, 4, False),
        (AVERAGE, 0, 1000, True),
        (replace(AVERAGE, dimensions={"FunctionName": "fn", "Resource": "fn:Live"}), 0, 1000, False),
        (replace(ERRORS, metric="Duration", statistic="p99"), 0, 4, True),
    ],
)
def test_a_fault_is_sent_only_where_one_more_failure_leaves_the_alarm_ok(
    alarm: AlarmDefined, failures: float, requests: float, sent: bool
) -> None:
    """By the failures and requests of the last quarter of an hour; requests that nobody counted are none."""
    why = why_no_fault(busy(alarm, failures=failures, requests=requests))
    assert (why is None) == sent
    assert sent or "a single failure could put an alarm in ALARM: errors" in str(why)


@pytest.mark.parametrize("name", UNJUDGED)
def test_no_fault_is_sent_where_an_alarm_that_is_not_judged_guards(name: str) -> None:
    """A good alarm beside it does not help."""
    other = replace(UNJUDGED[name], name="other")
    why = why_no_fault(seeing(replace(GROUP, alarms=("errors", "other")), ERRORS, other))
    assert why is not None
    assert "other is not judged" in why


def test_no_fault_is_sent_where_an_alarm_could_not_be_read() -> None:
    """One of two that the group names, or a child of a composite; one that is gone cannot go to ALARM."""
    two = replace(GROUP, alarms=("errors", "other"))
    assert why_no_fault(seeing(two)) == "the alarm other could not be read"
    assert why_no_fault(seeing(two, AlarmGone(**AT, name="other"))) is None
    both = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(errors) OR ALARM(child)")
    composed = seeing(replace(GROUP, alarms=("both",)), ERRORS, both)
    assert why_no_fault(composed) == "the alarm child could not be read"
    strange = replace(both, rule="SOMETHING NEW")
    why = why_no_fault(seeing(replace(GROUP, alarms=("both",)), ERRORS, strange))
    assert why == "which alarms both is composed of is not known"


def test_no_fault_is_sent_where_a_child_of_a_composite_would_go_to_alarm() -> None:
    """The composite may follow it."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(errors)")
    snapshot = seeing(replace(GROUP, alarms=("both",)), replace(ERRORS, threshold=1.0), both)
    assert "in ALARM: errors" in str(why_no_fault(snapshot))


def test_no_fault_is_sent_where_the_counts_could_not_be_read() -> None:
    """Nobody knows what one more would do."""
    why = why_no_fault(seeing(*ARMED.sightings, lost("cloudwatch:GetMetricData"), points={}))
    assert why == "cloudwatch:GetMetricData failed: ThrottlingException"


# Traffic past the alias


@pytest.mark.parametrize(
    ("invoked", "by_alias", "severity"),
    [(0.0, 0.0, "note"), (5.0, 0.0, "warning"), (5000.0, 0.0, "error"), (5000.0, 40.0, "warning"), (50.0, 50.0, "ok")],
)
def test_traffic_that_bypasses_the_alias_is_told_beforehand(invoked: float, by_alias: float, severity: str) -> None:
    """Nothing of it would shift."""
    snapshot = seeing(replace(INVOKED, points=((-120.0, invoked),)), replace(BY_ALIAS, points=((-120.0, by_alias),)))
    assert asked("alias-traffic", snapshot).severity == severity


def test_invocations_of_the_alias_that_could_not_be_read_are_unknown() -> None:
    """They are not none."""
    assert asked("alias-traffic", seeing(without=AliasMetricSeen)).severity == "unknown"


# At rest


@pytest.mark.parametrize(
    ("changes", "severity"), [({}, "warning"), ({"redeploy": True}, "error"), ({"target_version": "8"}, "error")]
)
def test_an_alarm_on_the_live_version_is_right_between_deployments_of_a_stack(
    changes: dict[str, Any], severity: str
) -> None:
    """Where we deploy ourselves nobody moves it to the new version."""
    dimensions = {"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": ALIAS.version}
    experiment = replace(EXPERIMENT, deployment=replace(EXPERIMENT.deployment, **changes))
    check = asked("alarm-versions", seeing(replace(ERRORS, dimensions=dimensions), experiment=experiment))
    assert check.severity == severity


# The last deployment


@pytest.mark.parametrize(
    ("code", "severity"), [("HOOK_EXECUTION_FAILURE", "warning"), ("ALARM_ACTIVE", "note"), ("MANUAL_STOP", "note")]
)
def test_a_deployment_that_ended_badly_is_a_warning_unless_the_net_stopped_it(code: str, severity: str) -> None:
    """With its code."""
    failed = replace(LAST, status="Failed", error_code=code)
    check = asked("deployed-before", seeing(failed))
    assert (check.severity, code in check.seen) == (severity, True)


def test_a_rollback_is_no_release_also_where_nobody_knows_what_it_undid() -> None:
    """It is not called a success."""
    rollback = replace(LAST, creator="codeDeployRollback")
    check = asked("deployed-before", seeing(rollback))
    assert (check.severity, "is a rollback" in check.seen) == ("note", True)


def test_a_hook_that_never_reported_is_told_with_what_to_do() -> None:
    """Its log shows a success, so only CodeDeploy's own word helps."""
    failed = replace(LAST, status="Failed", error_code="HOOK_EXECUTION_FAILURE")
    event = LifecycleEvent(
        name="BeforeAllowTraffic",
        status="Failed",
        message="The validation function did not report within one hour.",
        error_code="ScriptTimedOut",
        script="CodeDeployHook_pre",
    )
    target = TargetSeen(**AT, deployment_id="d-1", status="Failed", lifecycle=(event,))
    check = asked("hooks", seeing(failed, target))
    assert check.severity == "warning"
    assert "in BeforeAllowTraffic by CodeDeployHook_pre. The validation function did not report" in check.seen
    assert "PutLifecycleEventHookExecutionStatus" in check.advice
