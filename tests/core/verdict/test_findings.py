"""What a person should know beyond the verdict."""

from typing import Any

import msgspec
import pytest

from harness.core.timeline.events import (
    AlarmDefined,
    AlarmGone,
    AlarmSeen,
    AliasSeen,
    Arrivals,
    ClockSeen,
    DeploymentSeen,
    Event,
    Exemplar,
    FaultStarted,
    GroupSeen,
    LifecycleEvent,
    LookFailed,
    Requests,
    RunStarted,
    TargetSeen,
    Totals,
    Trouble,
)
from harness.core.timeline.rollout import replay
from harness.core.verdict.findings import CHECKS
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Finding


@pytest.fixture
def findings(experiment: Any) -> Any:
    """The findings of a timeline by their id: `findings(events, alarm={...})`."""

    def found(events: list[Event], **keys: Any) -> dict[str, Finding]:
        return {finding.id: finding for finding in judge(experiment(**keys), events).findings}

    return found


def changed(events: list[Event], kind: type, **changes: Any) -> list[Event]:
    """The events with all of one kind changed."""
    return [msgspec.structs.replace(event, **changes) if isinstance(event, kind) else event for event in events]


EXPECTED = {
    "healthy": {"alarm-covers-all-versions"},
    "erroruser": {"alarm-covers-all-versions"},
    "broken-canary": {"alarm-covers-all-versions", "collateral"},
    "forced-alarm": {"alarm-covers-all-versions", "forced-alarm-was-the-cause"},
    "below-threshold": {"alarm-covers-all-versions"},
    "thin-traffic": {"alarm-covers-all-versions", "thin-traffic", "collateral"},
    "late-fault": {"alarm-covers-all-versions", "late-fault"},
    "all-at-once": {"alarm-covers-all-versions", "no-canary"},
    "alarm-already-on": {"alarm-covers-all-versions", "alarm-already-on"},
    "hook-failure": {"alarm-covers-all-versions", "hook-failed"},
    "no-rollback": {"alarm-covers-all-versions", "alias-left-split", "no-rollback-configured"},
    "linear": {"alarm-covers-all-versions", "compared-in-part"},
    "wrong-dimension": {"alarm-no-data"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_packaged_experiments_find_what_they_show_and_nothing_else(name: str, findings: Any, row: Any) -> None:
    """A finding that is not there to be found would be noise."""
    rate = 0.02 if name == "thin-traffic" else 20.0
    assert set(findings(row(name), traffic={"arrival_rate": rate})) == EXPECTED[name]


def test_nothing_is_found_in_nothing(findings: Any) -> None:
    """An empty timeline has no findings."""
    assert findings([]) == {}
    assert findings([RunStarted(at_s=0.0, experiment="x", epoch_s=0.0)]) == {}


def test_layers_that_were_not_played_are_named(findings: Any, row: Any) -> None:
    """Once each, those of hooks, too: on AWS they are there."""
    code = {"handler": "app.handler", "runtime": "python3.13", "path": "src"}
    canary = {"code": {**code, "without_layers": ["a-layer"]}}
    hooks = {"BeforeAllowTraffic": {"code": {**code, "without_layers": ["a-layer", "another"]}}}
    told = findings(row("healthy"), baseline=canary, canary=canary, deployment={"hooks": hooks})
    assert "ran without a-layer, another: these layers" in told["layers-not-played"].text


def test_what_is_played_otherwise_than_on_aws_is_repeated(findings: Any, row: Any) -> None:
    """A local cloud says it once, on stderr: the verdict keeps it."""
    told = findings(row("healthy"), otherwise=["It runs on Node 20.", "A JWT is not verified."])
    assert told["otherwise-than-on-aws"].text.endswith(": It runs on Node 20. A JWT is not verified.")


def test_errors_come_first(experiment: Any, row: Any) -> None:
    """A person reads from the top."""
    severities = [finding.severity for finding in judge(experiment(), row("no-rollback")).findings]
    assert severities == ["error", "error", "warning"]


def test_every_check_says_what_it_looks_for() -> None:
    """The table documents itself."""
    assert all(check.__doc__ for check in CHECKS)


def test_thin_traffic_says_the_chance_and_the_rate_that_would_do(findings: Any, row: Any) -> None:
    """What to do is a number."""
    text = findings(row("thin-traffic"))["thin-traffic"].text
    assert "0.89 requests/s would make that 90%" in text
    assert "in under 0.1 of 100 periods" in text


def test_canary_without_weights_is_none(findings: Any, row: Any) -> None:
    """The configuration promises a canary, and nobody saw it."""
    text = findings(row("all-at-once", config=("Canary", "canary", 0.1, 300.0)))["no-canary"].text
    assert "weights never appeared" in text


def test_arn_in_resource_says_what_to_write_instead(findings: Any, row: Any) -> None:
    """Lambda writes function:alias."""
    text = findings(row("wrong-dimension"))["alarm-no-data"].text
    assert "is an ARN" in text
    assert text.endswith("Make it fakeUser:Live.")


@pytest.mark.parametrize(
    ("dimensions", "why"),
    [
        ({"FunctionName": "other"}, "FunctionName is other"),
        ({"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": "7"}, "ExecutedVersion is 7"),
        ({"Function": "fakeUser"}, "with the dimensions Function=fakeUser"),
    ],
)
def test_alarm_without_data_says_why(dimensions: dict[str, str], why: str, findings: Any, row: Any) -> None:
    """Each wrong dimension has its own sentence."""
    assert why in findings(row("wrong-dimension", dimensions=dimensions))["alarm-no-data"].text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"period_s": 10}, "its period is 10 s, and AWS/Lambda is written by the minute"),
        ({"period_s": 10, "namespace": "App"}, "nothing is written to App Errors"),
        ({"metric": None, "namespace": None, "period_s": None}, "its metric math gave no number"),
    ],
)
def test_alarm_without_data_is_not_said_to_watch_what_is_not_written(
    changes: dict[str, Any], why: str, findings: Any, row: Any
) -> None:
    """Where its period is finer than the metric, or where it watches metric math."""
    dimensions = {"FunctionName": "fakeUser"}
    events = [
        msgspec.structs.replace(seen, **changes) if isinstance(seen, AlarmDefined) else seen
        for seen in row("wrong-dimension", dimensions=dimensions)
    ]
    assert why in findings(events)["alarm-no-data"].text


def test_alarm_that_had_data_before_has_data(findings: Any, row: Any) -> None:
    """One OK is enough to know that it can see."""
    assert "alarm-no-data" not in findings(row("erroruser", idle_alarm="INSUFFICIENT_DATA"))


def test_alarm_that_nobody_saw_to_the_end_may_have_had_data(findings: Any, row: Any) -> None:
    """Credentials that expire in the middle say nothing of the alarm."""
    events = [seen for seen in row("wrong-dimension") if not (isinstance(seen, AlarmSeen) and seen.at_s > 100)]
    assert "alarm-no-data" not in findings(events)


def test_alarm_that_is_gone_guards_nothing(findings: Any, row: Any) -> None:
    """CloudWatch lists no alarm of that name, and says no error."""
    events = [event for event in row("healthy") if getattr(event, "name", None) != "errors"]
    gone = AlarmGone(at_s=1.0, asked_s=0.9, name="errors")
    assert "errors" in findings([*events[:-1], gone, events[-1]])["alarm-gone"].text


@pytest.mark.parametrize(
    ("group", "alarm", "says"),
    [
        ({"alarms": ()}, {}, "has no alarm"),
        ({"alarms_enabled": False}, {}, "ignores its alarms"),
        ({}, {"name": "mine"}, "The alarm mine does not guard"),
    ],
)
def test_alarm_must_be_on_the_group(group: Any, alarm: Any, says: str, findings: Any, row: Any) -> None:
    """An alarm that the group does not name, or does not obey, stops nothing."""
    assert says in findings(changed(row("healthy"), GroupSeen, **group), alarm=alarm)["alarm-not-on-group"].text


def test_missing_rollback_on_request_is_a_lesser_fault(findings: Any, row: Any) -> None:
    """The alarm's rollback is there."""
    events = row("healthy", rollback_events=("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"))
    assert findings(events)["no-rollback-configured"].severity == "warning"


def test_alarm_already_on_says_since_when(findings: Any, row: Any) -> None:
    """A minute before the creation."""
    assert "since 60 s before" in findings(row("alarm-already-on"))["alarm-already-on"].text


def test_alarm_on_all_versions_is_a_warning_where_it_blamed_the_canary_for_others(findings: Any, row: Any) -> None:
    """With error users nine tenths of the errors are the baseline's."""
    assert findings(row("erroruser"))["alarm-covers-all-versions"].severity == "warning"
    assert findings(row("broken-canary"))["alarm-covers-all-versions"].severity == "note"


def test_alarm_on_the_canarys_version_covers_no_other(findings: Any, row: Any) -> None:
    """That is the alarm to have."""
    dimensions = {"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": "2"}
    assert "alarm-covers-all-versions" not in findings(row("broken-canary", dimensions=dimensions))


def test_late_fault_says_how_late(findings: Any, row: Any) -> None:
    """26 s were left, and the alarm needed 110."""
    text = findings(row("late-fault"))["late-fault"].text
    assert "26 s before the deployment ended" in text
    assert "110 s after it" in text


def test_late_fault_needs_no_alarm_to_have_come(findings: Any, row: Any) -> None:
    """The run may end before the alarm would have fired."""
    assert "the alarm needs up to" in findings(row("late-fault", alarms=()))["late-fault"].text


def test_failures_that_no_alarm_counts_are_not_late(findings: Any, row: Any) -> None:
    """A longer bake time would not help an alarm on Errors to see what the function answered 500 by itself."""
    found = findings(row("late-fault", alarms=(), failed_status=500))
    assert "failures-not-counted" in found
    assert "late-fault" not in found


def test_failures_that_were_early_but_few_are_not_late(findings: Any, build: Any) -> None:
    """A longer bake time would not help: about two a minute never make the three that the alarm asks for."""
    found = findings(build(canary_fails=0.017, alarms=((420.0, 600.0),), after_s=300.0))
    assert "late-fault" not in found
    assert "early enough for the alarm (Errors Sum >= 3" in found["failures-too-few"].text


@pytest.mark.parametrize(("version", "blind"), [("1", True), ("2", False)])
def test_an_alarm_on_another_version_counts_no_failure_of_the_canary(
    findings: Any, row: Any, version: str, blind: bool
) -> None:
    """It was left at the version that went out of service."""
    dimensions = {"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": version}
    assert ("alarm-on-other-version" in findings(row("broken-canary", dimensions=dimensions))) is blind


def test_fault_after_the_end_of_the_deployment_is_late_too(findings: Any, row: Any) -> None:
    """Nobody watches then."""
    late = row("late-fault", faults=((330, 9e9, 0.05),), alarms=())
    assert "24 s after it had ended" in findings(late)["late-fault"].text


def test_early_fault_without_an_alarm_is_not_late(findings: Any, row: Any) -> None:
    """Something else kept the alarm quiet."""
    assert "late-fault" not in findings(row("late-fault", faults=((0, 9e9, 0.05),), alarms=()))


def test_hook_that_failed_is_named(findings: Any, row: Any) -> None:
    """The event says which function to look into."""
    assert "AfterAllowTraffic" in findings(row("hook-failure"))["hook-failed"].text


def test_hook_that_timed_out_is_told_how_to_report(findings: Any, row: Any) -> None:
    """CodeDeploy waits an hour for a hook that never calls back, or may not."""
    hook = LifecycleEvent(name="BeforeAllowTraffic", status="Failed", error_code="ScriptTimedOut", script="pre")
    text = findings(changed(row("hook-failure"), TargetSeen, lifecycle=(hook,)))["hook-failed"].text
    assert "waited an hour for its function pre" in text
    assert "its role must allow codedeploy:PutLifecycleEventHookExecutionStatus" in text


def test_hook_that_failed_says_what_codedeploy_says(findings: Any, row: Any) -> None:
    """Its own word and message."""
    hook = LifecycleEvent(
        name="AfterAllowTraffic", status="Failed", error_code="ScriptFailed", script="post", message="It said no."
    )
    text = findings(changed(row("hook-failure"), TargetSeen, lifecycle=(hook,)))["hook-failed"].text
    assert text.endswith("Look into the log of its function post (ScriptFailed: It said no).")


def test_deployment_that_overrides_the_alarms_is_told(findings: Any, row: Any) -> None:
    """An alarm of the group that rings cannot stop it."""
    found = findings(changed(row("broken-canary"), DeploymentSeen, alarms=()))["deployment-overrides-alarms"]
    assert found.severity == "error"
    assert "errors cannot stop it, nor can any other alarm" in found.text


@pytest.mark.parametrize(
    ("current", "target", "says"),
    [("1", "1", "names version 1 twice"), ("2", "1", "from version 2 to 1")],
)
def test_deployment_that_codedeploy_refused_is_told_with_its_versions(
    current: str, target: str, says: str, experiment: Any, row: Any
) -> None:
    """No alarm did it, nobody changed the alias, and no version was tried that could be called worse or well."""
    message = "The deployment failed because the AppSpec file has an invalid configuration."
    events = changed(row("hook-failure"), DeploymentSeen, error_code="INVALID_LAMBDA_CONFIGURATION")
    events = changed(events, DeploymentSeen, error_message=message)
    events = changed(events, TargetSeen, current_version=current, target_version=target, weight=0.0, lifecycle=())
    events = changed(events, AliasSeen, version="1", weights={})
    verdict = judge(experiment(), changed(events, Requests, version="1"))
    found = {finding.id: finding for finding in verdict.findings}
    assert says in found["deployment-refused"].text
    assert "alias-contradicts-codedeploy" not in found
    assert not [why for why in verdict.because if "failed more" in why or "the canary gave" in why]


def test_an_alarm_that_only_the_deployment_names_is_corrected_there(findings: Any, row: Any) -> None:
    """The group does not name it."""
    own = changed(row("healthy"), DeploymentSeen, alarms=("gone",))
    gone = AlarmGone(at_s=1.0, asked_s=0.9, name="gone")
    text = findings([*own[:-1], gone, own[-1]])["alarm-gone"].text
    assert "correct the name in overrideAlarmConfiguration of the deployment" in text


@pytest.mark.parametrize("alarms", [None, ("errors",), ("errors", "more")])
def test_deployment_with_the_groups_alarms_overrides_none(alarms: Any, findings: Any, row: Any) -> None:
    """More alarms than the group's are no loss."""
    found = findings(changed(row("broken-canary"), DeploymentSeen, alarms=alarms))
    assert "deployment-overrides-alarms" not in found


def test_failures_are_weighed_by_the_groups_alarm_though_the_deployment_switched_it_off(
    experiment: Any, row: Any
) -> None:
    """What the team can bear does not depend on how it deployed this time."""
    events = changed(row("broken-canary"), DeploymentSeen, alarms=())
    rollout = replay(events)
    assert (rollout.alarm_names, rollout.yardsticks) == ((), ("errors",))
    assert any("than the alarm (Errors Sum" in why for why in judge(experiment(), events).because)


def test_deployment_without_its_own_rollback_is_told(findings: Any, row: Any) -> None:
    """The group would have rolled back; the deployment said that it shall not."""
    found = findings(changed(row("below-threshold"), DeploymentSeen, rollback_events=()))["no-rollback-configured"]
    assert found.severity == "error"
    assert "This deployment" in found.text


def test_alarm_of_its_own_is_not_our_doing(findings: Any, row: Any) -> None:
    """A forced alarm an hour ago stopped nothing now."""
    assert "forced-alarm-was-the-cause" not in findings(row("erroruser", forced=(-55.0, -40.0)))


def test_fault_requests_that_succeed_mean_a_broken_trigger(findings: Any, row: Any, sent: Any) -> None:
    """All of them is worse than some."""
    fine = sent(100.0, count=5, intent="fault", persona="error")
    assert findings([*row("healthy"), fine])["fault-succeeded"].severity == "error"
    assert findings([*row("erroruser"), fine])["fault-succeeded"].severity == "warning"


def test_good_requests_that_the_baseline_failed_are_a_warning(findings: Any, row: Any, sent: Any) -> None:
    """The canary had nothing to do with them."""
    found = findings([*row("healthy"), sent(100.0, count=2, ok=False)])["collateral"]
    assert found.severity == "warning"
    assert "0 on the canary, 2 on the baseline" in found.text


def test_failures_that_the_metric_does_not_count_are_named(findings: Any, row: Any) -> None:
    """A returned 500 is no Error of Lambda."""
    assert "x 500" in findings(row("erroruser", failed_status=500))["failures-not-counted"].text


@pytest.mark.parametrize(("status", "metric"), [(404, "4XXError"), (429, "4XXError"), (500, "5XXError")])
def test_failures_of_good_requests_that_no_metric_counts_are_named(
    status: int, metric: str, findings: Any, row: Any
) -> None:
    """A canary that answers 404 or 429 sets off no alarm on Errors."""
    text = findings(row("broken-canary", failed_status=status))["failures-not-counted"].text
    assert f" x {status}" in text
    assert "Errors counts exceptions that the function did not handle" in text
    assert f"An alarm on {metric} sees" in text


def test_refusals_that_the_metric_counts_are_not_named(findings: Any, row: Any) -> None:
    """An alarm on 4XXError counts them, and says so of other failures."""
    guard = AlarmDefined(
        at_s=0.1,
        asked_s=0.0,
        name="errors",
        metric="4XXError",
        statistic="Sum",
        period_s=60,
        threshold=3.0,
        comparison="GreaterThanOrEqualToThreshold",
    )
    refused = row("broken-canary", failed_status=404, guards=(guard,))
    assert "failures-not-counted" not in findings(refused)
    text = findings(row("broken-canary", guards=(guard,)))["failures-not-counted"].text
    assert "none that 4XXError counts" in text
    assert "4XXError counts answers of 400 to 499" in text


@pytest.mark.parametrize(
    ("status", "advice"),
    [(500, "To blame the canary alone takes a metric of your own"), (502, "add an alarm on Lambda's Errors with")],
)
def test_an_alarm_on_errors_is_advised_only_where_it_would_ring(
    status: int, advice: str, findings: Any, row: Any
) -> None:
    """A function that answers 500 by itself has no Errors: an alarm on them would see nothing of its failures."""
    guard = AlarmDefined(
        at_s=0.1,
        asked_s=0.0,
        name="errors",
        namespace="AWS/ApiGateway",
        metric="5XXError",
        statistic="Sum",
        period_s=60,
        threshold=3.0,
        comparison="GreaterThanOrEqualToThreshold",
    )
    text = findings(row("broken-canary", failed_status=status, guards=(guard,)))["alarm-covers-all-versions"].text
    assert advice in text
    assert ("Resource=" in text) == (status == 502)


@pytest.mark.parametrize(("status", "is_said"), [(404, True), (502, False)])
def test_harm_that_the_metric_does_not_count_is_not_told_as_counted(
    status: int, is_said: bool, judged: Any, row: Any
) -> None:
    """It is held against what the alarm bears, as the sentence says."""
    said = next(said for said in judged(row("broken-canary", failed_status=status)).because if "meant to bear" in said)
    assert ("Errors does not count" in said and f" x {status} among them" in said) == is_said


def test_fault_requests_that_were_refused_never_reached_the_function(findings: Any, row: Any, sent: Any) -> None:
    """A 403 of the authorizer fails the client and no alarm."""
    refused = sent(100.0, count=3, ok=False, intent="fault", status=403, version=None)
    assert "3 x 403" in findings([*row("healthy"), refused])["failures-not-counted"].text


def test_no_traffic_is_an_error(findings: Any, row: Any) -> None:
    """Without requests nothing is proved."""
    assert findings(row("healthy", rate=0, metrics=False))["no-traffic"].severity == "error"


def test_share_that_was_not_sent_is_a_warning(findings: Any, row: Any) -> None:
    """Ten percent were planned, five came."""
    found = findings(changed(row("erroruser"), FaultStarted, value="0.1"))
    assert "10.00% were planned" in found["share-not-met"].text


def test_schedule_that_was_not_kept_is_a_warning(findings: Any, row: Any) -> None:
    """Requests that were never started are missing from every rate."""
    events = changed(row("healthy"), Arrivals, unstarted=2)
    assert "were never started" in findings(events)["schedule-late"].text


def test_other_deployment_of_the_group_is_a_warning(findings: Any, row: Any) -> None:
    """Somebody deployed in between."""
    other = DeploymentSeen(at_s=300.0, asked_s=299.0, deployment_id="d-OTHER", status="InProgress", created_s=290.0)
    assert "d-OTHER" in findings([*row("healthy"), other])["superseded-by-other-deployment"].text


def test_alias_that_contradicts_codedeploy_is_an_error(findings: Any, row: Any) -> None:
    """CodeDeploy says promoted, the alias says otherwise."""
    back = AliasSeen(at_s=420.0, asked_s=419.8, function="fakeUser", alias="Live", version="1")
    events = [*row("healthy"), back]
    assert findings(events)["alias-contradicts-codedeploy"].severity == "error"


def look_failed(at_s: float) -> LookFailed:
    """A look that was refused for its rate."""
    return LookFailed(
        at_s=at_s, asked_s=at_s - 1, call="codedeploy:GetDeployment", code="ThrottlingException", message="slow"
    )


def test_one_failed_look_is_a_note(findings: Any, row: Any) -> None:
    """The next look saw."""
    found = findings(sorted([*row("healthy"), look_failed(105.0)], key=lambda event: event.at_s))["looks-failed"]
    assert found.severity == "note"
    assert "codedeploy:GetDeployment ThrottlingException" in found.text


def test_a_permission_that_is_missing_is_named(findings: Any, row: Any) -> None:
    """With the call, and where to get the policy."""
    denied = msgspec.structs.replace(look_failed(105.0), code="AccessDeniedException")
    text = findings([*row("healthy"), denied])["permission-missing"].text
    assert "codedeploy:GetDeployment" in text
    assert "doctor --print-policy" in text


def test_credentials_that_expired_are_told_with_when(findings: Any, row: Any) -> None:
    """From when until when nothing was seen for that reason."""
    expired = [msgspec.structs.replace(look_failed(at_s), code="ExpiredTokenException") for at_s in (105.0, 110.0)]
    text = findings([*row("healthy"), *expired])["credentials-refused"].text
    assert "from 104 s until 110 s" in text


def test_a_clock_that_is_off_is_a_warning(findings: Any, row: Any) -> None:
    """Dates were corrected, but AWS itself refuses what is five minutes off."""
    text = findings([*row("healthy"), ClockSeen(at_s=1.0, ahead_s=-613.0)])["clock-skew"].text
    assert "613 s behind" in text


def test_an_alarm_that_was_deleted_meanwhile_is_told_as_such(findings: Any, row: Any) -> None:
    """Its name in the group is right; nothing guards the group any more."""
    gone = AlarmGone(at_s=200.0, asked_s=199.9, name="errors")
    assert "was deleted during the run" in findings([*row("healthy"), gone])["alarm-gone"].text


def test_long_blindness_is_a_warning(findings: Any, row: Any) -> None:
    """A minute without any sight widens every bound."""
    blind = [event for event in row("healthy") if not (100 <= event.at_s < 165 and hasattr(event, "asked_s"))]
    events = sorted([*blind, look_failed(130.0)], key=lambda event: event.at_s)
    found = findings(events)["looks-failed"]
    assert found.severity == "warning"
    assert "for up to 80 s nothing was seen" in found.text


def test_trouble_is_told(findings: Any, row: Any) -> None:
    """A worker that was lost is part of the story."""
    lost = Trouble(at_s=100.0, what="worker lost", message="no heartbeat")
    assert "worker lost: no heartbeat" in findings([*row("healthy"), lost])["trouble"].text


def test_traffic_without_version_says_so(findings: Any, row: Any, sent: Any) -> None:
    """A failure that nobody can attribute is counted as such."""
    lost: Requests = sent(100.0, ok=False, version=None, status=503)
    assert "1 where no header said" in findings([*row("healthy"), lost])["collateral"].text
    other = msgspec.structs.replace(lost, version="$LATEST")
    assert "0 where no header said, 1 on other versions" in findings([*row("healthy"), other])["collateral"].text


def test_why_requests_got_no_answer_is_told(findings: Any, row: Any) -> None:
    """How many, and the reasons of the sample, the most frequent first."""
    reasons = ["no connection: connection refused", "nothing came for 35 s", "nothing came for 35 s"]
    failed = {"persona": "beta", "endpoint": "fakeUser", "version": None, "status": 0, "latency_s": 1.0}
    sample = [Exemplar(at_s=1.0, intent="good", reason=reason, **failed) for reason in reasons]
    events = [*changed(row("healthy"), Requests, status=0, outcome="failed", version=None), *sample]
    text = findings(events)["unanswered"].text
    assert "good requests got no answer: of a sample, nothing came for 35 s (2); no connection" in text


def test_lost_requests_are_a_warning_and_whole_ones_none(findings: Any, row: Any) -> None:
    """A few seconds without their rows do not spoil a run, but are said."""
    whole = row("healthy")
    lossy = [event for event in whole if not (isinstance(event, Requests) and event.at_s in (200.0, 201.0))]
    assert "Nothing is known of 40 of" in findings(lossy)["requests-lost"].text
    assert "requests-lost" not in findings(whole)


def test_comparison_of_a_part_of_the_time_is_said(findings: Any, row: Any) -> None:
    """Where weight and faults changed together."""
    assert "gravest faults" in findings(row("linear"))["compared-in-part"].text
    assert "compared-in-part" not in findings(row("linear", faults=()))


def test_requests_that_nobody_recorded_are_an_error(findings: Any, row: Any) -> None:
    """In each process by itself: what another one recorded makes up for nothing."""
    seen = [
        Totals(at_s=400.0, counted=10, recorded=7, worker="a"),
        Totals(at_s=400.0, counted=5, recorded=9, worker="b"),
    ]
    found = findings([*row("healthy"), *seen])["requests-not-recorded"]
    assert found.severity == "error"
    assert found.text.startswith("3 of 15 requests that Locust counted were not recorded")


def test_equal_totals_are_nothing_to_tell(findings: Any, row: Any) -> None:
    """As of every run in which nothing went wrong."""
    found = findings([*row("healthy"), Totals(at_s=400.0, counted=10, recorded=10)])
    assert not found.keys() & {"requests-not-recorded", "requests-odd"}


def test_odd_requests_are_one_warning(findings: Any, row: Any) -> None:
    """Whatever many processes fired them."""
    kinds = {"name": 3, "response_time": 2}
    odd = [
        Totals(at_s=400.0, counted=9, recorded=9, odd=4, example="name none", odd_values=kinds, worker=worker)
        for worker in "ab"
    ]
    found = findings([*row("healthy"), *odd])["requests-odd"]
    assert (found.severity, "8 requests" in found.text, "name none" in found.text) == ("warning", True, True)
    assert "6 x name, 4 x response_time" in found.text


def test_versions_and_names_that_are_not_told_apart_are_a_finding(findings: Any, row: Any) -> None:
    """The report says how many requests have "other" in their rows."""
    folded = (Totals(at_s=400.0, counted=9, recorded=9, folded={"version": 4}, worker=worker) for worker in "ab")
    found = findings([*row("healthy"), *folded])["requests-folded"]
    assert (found.severity, "the version of 8 requests" in found.text) == ("warning", True)


def test_without_http_a_request_that_did_not_fail_was_answered(findings: Any, row: Any) -> None:
    """XML-RPC, gRPC and SQL have no status."""
    found = findings(changed(row("healthy"), Requests, status=0, http=False))
    assert "unanswered" not in found
    assert "failures-not-counted" not in findings(changed(row("erroruser"), Requests, status=0, http=False))
