"""The doctor's questions, answered from snapshots that nobody had to read from AWS."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.core.arming import FaultCounts, Hook, Probed, Snapshot, diagnose, judge, why_no_fault
from harness.core.arming.alarms import slowest_s
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import (
    Call,
    Expect,
    Experiment,
    Fault,
    Outcome,
    Traffic,
)
from harness.core.timeline.alarm_definitions import alarm_defined
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmGone,
    AlarmSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    GroupSeen,
    LifecycleEvent,
    TargetSeen,
)
from tests.core.arming.armed import (
    ALIAS,
    ARMED,
    AT,
    CONFIG,
    ERRORS,
    EXPERIMENT,
    GROUP,
    INVOKED,
    LAST,
    OK,
    SIGHTINGS,
    asked,
    lost,
    seeing,
)


def test_an_armed_snapshot_is_armed() -> None:
    """No severity worse than a note."""
    assert {check.severity for check in diagnose(ARMED).checks} == {"ok", "note"}
    assert diagnose(ARMED).exit_code == 0


def test_every_question_has_an_id_of_its_own_and_says_why_it_matters() -> None:
    """Ids are what people put into their pipelines."""
    ids = [question.id for question in judge.QUESTIONS]
    assert len(set(ids)) == len(ids)
    assert all(question.matters.endswith(".") for question in judge.QUESTIONS)


def test_nothing_seen_is_never_well() -> None:
    """All that depends on AWS is unknown."""
    checks = {check.id: check.severity for check in diagnose(Snapshot(experiment=EXPERIMENT)).checks}
    assert {name for name, severity in checks.items() if severity == "ok"} <= {
        "host",
        "target-version",
        "permissions",
        "writes",
    }
    assert diagnose(Snapshot(experiment=EXPERIMENT)).exit_code == 4


def test_a_question_that_crashes_is_unknown_and_the_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours must not look like an armed net."""

    def crash(_: Snapshot) -> Any:
        raise ZeroDivisionError("bug")

    monkeypatch.setattr(judge, "QUESTIONS", (judge.ArmingQuestion("broken", "It matters.", crash), *judge.QUESTIONS))
    checks = diagnose(ARMED).checks
    assert (checks[0].severity, "bug" in checks[0].seen, checks[1].severity) == ("unknown", True, "ok")


@pytest.mark.parametrize(
    ("question", "kind", "call"),
    [
        ("alarm-configured", GroupSeen, "codedeploy:GetDeploymentGroup"),
        ("gradual-shift", ConfigSeen, "codedeploy:GetDeploymentConfig"),
        ("alias-weights", AliasSeen, "lambda:GetAlias"),
        ("alarm-threshold", AlarmDefined, "cloudwatch:DescribeAlarms"),
        ("alarm-state", AlarmSeen, "cloudwatch:DescribeAlarms"),
        ("deployed-before", DeploymentSeen, "codedeploy:GetDeployment"),
    ],
)
def test_what_could_not_be_seen_is_unknown_with_the_call_that_failed(question: str, kind: type, call: str) -> None:
    """And the code of its failure."""
    check = asked(question, seeing(lost(call), without=kind))
    assert (check.severity, f"{call} failed: ThrottlingException" in check.seen) == ("unknown", True)


@given(st.lists(st.sampled_from(range(len(SIGHTINGS))), unique=True))
def test_seeing_less_never_makes_a_net_look_better(left_out: list[int]) -> None:
    """No data is never health: what is not seen adds no `ok`."""
    fewer = tuple(event for index, event in enumerate(SIGHTINGS) if index not in left_out)
    whole = {check.id for check in diagnose(ARMED).of("ok")}
    part = {check.id for check in diagnose(replace(ARMED, sightings=fewer)).of("ok")}
    assert part <= whole


# Alarms


def test_a_child_of_a_composite_that_is_gone_is_found() -> None:
    """The composite is there, what it refers to is not."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(errors) OR ALARM(child)")
    check = asked("alarm-exists", seeing(ERRORS, both, AlarmGone(**AT, name="child")))
    assert (check.severity, "child" in check.seen) == ("error", True)


def test_alarms_that_are_all_gone_leave_one_reason_for_all_that_is_unknown() -> None:
    """The group names one, so nobody is told that none guards it."""
    gone = seeing(AlarmGone(**AT, name="errors"), without=AlarmDefined)
    unknown = diagnose(replace(gone, sightings=tuple(seen for seen in gone.sightings if seen != OK))).of("unknown")
    assert {check.seen for check in unknown} == {"Not known: no alarm that CloudWatch knows guards the group."}
    assert "alarm-state" in {check.id for check in unknown}


def test_a_composite_that_exists_is_shown_with_its_rule() -> None:
    """A person sees when it goes to ALARM."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(errors)")
    assert "both goes to ALARM at ALARM(errors)" in asked("alarm-exists", seeing(ERRORS, both)).seen


def test_a_suppressor_of_a_composite_is_said_to_hold_back_no_rollback() -> None:
    """It holds back the composite's actions; CodeDeploy reads the state."""
    composite = {"AlarmName": "both", "AlarmRule": "ALARM(errors)", "ActionsSuppressor": "upkeep"}
    both = alarm_defined(composite)
    assert both is not None
    seen = asked("alarm-exists", seeing(ERRORS, both)).seen
    assert "Its suppressor upkeep holds back its actions, and no rollback" in seen


def test_a_child_that_rings_alone_does_not_stop_a_deployment() -> None:
    """The group is guarded by the composite, which is OK."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(errors) AND ALARM(other)")
    states = (
        AlarmSeen(**AT, name="errors", state="ALARM", reason="3 errors."),
        AlarmSeen(**AT, name="both", state="OK"),
    )
    snapshot = seeing(replace(GROUP, alarms=("both",)), ERRORS, both, *states)
    assert asked("alarm-state", snapshot).severity == "note"


@pytest.mark.parametrize(
    ("version", "live", "target", "severity"),
    [
        ("8", "7", None, "ok"),
        ("7", "7", None, "warning"),
        ("6", "7", None, "error"),
        ("10", "9", None, "ok"),
        ("8", "7", "8", "ok"),
        ("8", "7", "9", "error"),
    ],
)
def test_an_alarm_on_one_version_must_be_on_the_canary(
    version: str, live: str, target: str | None, severity: str
) -> None:
    """The version named to be deployed, or one that is newer than the one in service."""
    dimensions = {"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": version}
    experiment = replace(EXPERIMENT, deployment=replace(EXPERIMENT.deployment, target_version=target))
    snapshot = seeing(replace(ERRORS, dimensions=dimensions), replace(ALIAS, version=live), experiment=experiment)
    assert asked("alarm-versions", snapshot).severity == severity


@pytest.mark.parametrize(("version", "severity"), [("7", "error"), ("8", "note")])
def test_only_a_version_that_is_not_in_service_may_lack_data(version: str, severity: str) -> None:
    """Version 7 takes all traffic, version 8 is to come."""
    dimensions = {"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": version}
    snapshot = seeing(replace(ERRORS, dimensions=dimensions), points={("errors", "m1"): ()})
    assert asked("alarm-data", snapshot).severity == severity


def test_an_alarm_on_the_gateway_sees_what_the_code_handles() -> None:
    """5XXError counts every 5xx, whoever answered it."""
    gateway = replace(ERRORS, name="5xx", namespace="AWS/ApiGateway", metric="5XXError", dimensions={"ApiName": "shop"})
    snapshot = seeing(ERRORS, gateway, fault=Probed(500))
    assert asked("handled-errors", snapshot).severity == "ok"


@pytest.mark.parametrize(("errors", "severity"), [(None, "unknown"), (0.0, "error"), (1.0, "note")])
def test_a_500_is_an_exception_where_cloudwatch_counted_it(errors: float | None, severity: str) -> None:
    """An HTTP API answers 500 where a function throws, a REST API where the code handled it."""
    counted = None if errors is None else FaultCounts(alarms={}, errors=errors, invocations=1.0)
    check = asked("handled-errors", seeing(ERRORS, fault=Probed(500), counted=counted))
    assert check.severity == severity


def test_an_alarm_without_any_metric_is_said_not_to_be_judged() -> None:
    """Nobody is told that it watches None."""
    check = asked("alarm-threshold", seeing(replace(ERRORS, metric=None, statistic=None)))
    assert (check.severity, "is not judged" in check.seen) == ("unknown", True)


@pytest.mark.parametrize(
    ("metric", "namespace", "unit", "severity"),
    [
        ("Errors", "AWS/Lambda", None, "ok"),
        ("Errors", "AWS/Lambda", "Count", "ok"),
        ("Errors", "AWS/Lambda", "Seconds", "error"),
        ("Duration", "AWS/Lambda", "Milliseconds", "ok"),
        ("5XXError", "AWS/ApiGateway", "None", "error"),
        ("Failures", "Shop", "Seconds", "note"),
    ],
)
def test_an_alarm_asks_for_its_metric_in_the_unit_it_is_published_in(
    metric: str, namespace: str, unit: str | None, severity: str
) -> None:
    """In any other CloudWatch has no datapoint; what teams publish themselves has the unit that they give it."""
    alarm = replace(ERRORS, metric=metric, namespace=namespace, unit=unit)
    assert asked("alarm-unit", seeing(alarm)).severity == severity


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"namespace": "AWS/lambda"}, "error"),
        ({"namespace": "AWS/Lamda"}, "error"),
        ({"namespace": "AWS/ApiGateway", "metric": "5XXError", "dimensions": {"ApiName": "x"}}, "warning"),
        ({"namespace": "Shop", "metric": "Failures"}, "warning"),
    ],
)
def test_a_metric_without_data_that_is_not_lambda_s_is_held_against_the_invocations(
    changes: dict[str, Any], severity: str
) -> None:
    """Nobody writes to a misspelt namespace of AWS's; other metrics may be written with failures alone."""
    check = asked("alarm-data", seeing(replace(ERRORS, **changes), points={("errors", "m1"): ()}))
    assert (check.severity, "50 times" in check.seen) == (severity, severity == "warning")


def test_an_alarm_that_does_not_count_failures_upwards_is_shown_as_any_other() -> None:
    """Signs and plain numbers, as people write them."""
    assert (
        "(Errors Minimum >= 3 in 60 s, 1 of 1)"
        in asked("alarm-threshold", seeing(replace(ERRORS, statistic="Minimum"))).seen
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [(("Resource",), "the dimension Resource, which Lambda never writes alone"), (("Stage", "Tier"), "together")],
)
def test_dimensions_that_lambda_never_writes_are_told_by_their_number(names: tuple[str, ...], told: str) -> None:
    """One alone, or several together."""
    assert told in asked("alarm-resource", seeing(replace(ERRORS, dimensions=dict.fromkeys(names, "fn")))).seen


def test_what_rang_within_the_last_hour_is_told() -> None:
    """And what rang before is not."""
    rang = AlarmChanged(**AT, name="errors", changed_s=-600.0, from_state="OK", to_state="ALARM")
    assert "errors 2 x" in asked("alarm-history", seeing(rang, replace(rang, changed_s=-1200.0))).seen
    assert asked("alarm-history", seeing(replace(rang, changed_s=-4000.0))).severity == "ok"


def test_a_treatment_of_missing_data_that_nobody_knows_is_a_note() -> None:
    """AWS may add words."""
    assert asked("alarm-missing-data", seeing(replace(ERRORS, missing="guess"))).severity == "note"


@pytest.mark.parametrize(
    ("kind", "step", "interval_s", "bake"),
    [
        ("canary", 0.1, 300.0, 300.0),
        ("linear", 0.1, 60.0, 540.0),
        ("linear", 0.3, 60.0, 180.0),
        ("all_at_once", None, None, 0.0),
    ],
)
def test_the_bake_is_the_time_with_both_versions(
    kind: Any, step: float | None, interval_s: float | None, bake: float
) -> None:
    """A linear deployment shifts in ceil((1 - p) / p) intervals."""
    assert bake_s(ConfigSeen(**AT, name="c", kind=kind, step=step, interval_s=interval_s)) == bake


def test_a_configuration_that_does_not_say_how_it_shifts_has_no_known_bake() -> None:
    """AWS left the numbers out."""
    with pytest.raises(Unseen):
        bake_s(ConfigSeen(**AT, name="c", kind="canary"))


def test_the_slowest_alarm_takes_its_periods_and_the_ways_of_aws() -> None:
    """M periods, 60 s at the least, and 110 s for publishing, evaluating and polling."""
    assert slowest_s(ERRORS) == 170.0
    assert slowest_s(replace(ERRORS, period_s=10)) == 170.0
    assert slowest_s(replace(ERRORS, evaluation_periods=5, datapoints=3)) == 290.0


@pytest.mark.parametrize(
    ("bake", "severity"), [(160.0, "error"), (171.0, "warning"), (212.0, "warning"), (213.0, "ok"), (300.0, "ok")]
)
def test_an_alarm_must_ring_before_the_bake_ends(bake: float, severity: str) -> None:
    """It takes 170 s at the slowest; more than four fifths of the bake is close."""
    assert asked("alarm-in-time", seeing(replace(CONFIG, interval_s=bake))).severity == severity


# Traffic


@pytest.mark.parametrize(("rate", "severity"), [(0.3, "warning"), (1.0, "ok"), (20.0, "ok")])
def test_the_chance_is_that_of_a_release_and_not_of_one_period(rate: float, severity: str) -> None:
    """A tenth of the requests meets a canary that always fails; three in a minute are needed, in any minute in time."""
    experiment = replace(EXPERIMENT, traffic=Traffic(arrival_rate=rate))
    assert asked("enough-traffic", replace(ARMED, experiment=experiment)).severity == severity


@pytest.mark.parametrize(("version", "severity"), [(None, "ok"), ("8", "warning")])
def test_an_alarm_on_the_canary_meets_the_canary_s_part_only(version: str | None, severity: str) -> None:
    """Fault requests fail on every version."""
    experiment = replace(EXPERIMENT, traffic=Traffic(arrival_rate=2, error_share=0.05))
    alarm = replace(ERRORS, dimensions={**ERRORS.dimensions, **({"ExecutedVersion": version} if version else {})})
    assert asked("enough-traffic", seeing(alarm, experiment=experiment)).severity == severity


def test_a_closed_loop_promises_no_rate() -> None:
    """It is no worse than a note."""
    experiment = replace(EXPERIMENT, traffic=Traffic(users=50))
    assert asked("enough-traffic", replace(ARMED, experiment=experiment)).severity == "note"


@pytest.mark.parametrize(
    ("asks", "severity"),
    [
        ({"traffic": Traffic(error_share=0.05)}, "error"),
        ({"faults": (Fault(at_s=0, error_share=0.5),)}, "error"),
        ({"traffic": Traffic(arrival_rate=1), "expect": Expect(outcome=Outcome.ROLLED_BACK)}, "error"),
        ({"traffic": Traffic(arrival_rate=1), "expect": Expect(call=Call.CAUGHT)}, "error"),
        ({"traffic": Traffic(arrival_rate=1)}, "warning"),
        ({"traffic": Traffic(error_share=0.05), "expect": Expect(outcome=Outcome.PROMOTED)}, "note"),
        ({"traffic": Traffic(error_share=0.05), "faults": (Fault(at_s=0, force_alarm="ALARM"),)}, "warning"),
        ({}, "error"),
    ],
)
def test_an_alarm_that_cannot_ring_is_an_error_where_it_must(asks: dict[str, Any], severity: str) -> None:
    """Where failures are sent or a rollback is expected, and where nobody said what is sent; not where it is forced."""
    experiment = Experiment(name="x", deployment=EXPERIMENT.deployment, **asks)
    snapshot = seeing(replace(ERRORS, threshold=100_000.0), experiment=experiment)
    assert asked("enough-traffic", snapshot).severity == severity


@pytest.mark.parametrize(("invoked", "severity"), [(50.0, "error"), (600_000.0, "ok")])
def test_without_an_experiment_the_busiest_minute_counts_if_it_is_above_the_default(
    invoked: float, severity: str
) -> None:
    """A threshold that suits a busy service is no mistake."""
    busy = replace(INVOKED, points=((-180.0, 10.0), (-120.0, invoked)))
    snapshot = seeing(replace(ERRORS, threshold=5000.0), busy, experiment=replace(EXPERIMENT, traffic=Traffic()))
    assert asked("enough-traffic", snapshot).severity == severity


# Requests of our own


@pytest.mark.parametrize(
    ("counted", "severity", "told"),
    [
        (FaultCounts({"errors": 1.0}, 1.0, 2.0), "ok", "counted by the metric of errors"),
        (FaultCounts({"errors": 0.0}, 1.0, 2.0), "error", "no alarm's metric did"),
        (FaultCounts({"errors": 0.0}, 0.0, 2.0), "error", "counted no error"),
        (FaultCounts({"errors": 0.0}, 0.0, 0.0), "error", "not invoked at all"),
    ],
)
def test_what_the_metrics_counted_tells_who_failed(counted: FaultCounts, severity: str, told: str) -> None:
    """The alarm, only the function, only an invocation, or nobody."""
    check = asked("fault-counted", replace(ARMED, counted=counted))
    assert (check.severity, told in check.seen) == (severity, True)


def test_a_count_that_could_not_be_read_is_unknown() -> None:
    """Not waiting for it is a choice, failing to read it is not."""
    failed = seeing(*SIGHTINGS, lost("cloudwatch:GetMetricData"), counted=None, why_not_counted="")
    assert asked("fault-counted", failed).severity == "unknown"
    assert asked("fault-counted", replace(ARMED, counted=None, why_not_counted="nobody waited")).severity == "note"


def test_an_alarm_that_waits_for_the_next_version_cannot_count_a_fault_yet() -> None:
    """The function's own count must do."""
    dimensions = {"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": "8"}
    snapshot = seeing(replace(ERRORS, dimensions=dimensions), counted=FaultCounts({"errors": 0.0}, 1.0, 2.0))
    assert asked("fault-counted", snapshot).severity == "ok"


def test_an_alarm_on_latency_counts_no_fault_and_waits_for_no_version() -> None:
    """Nothing is said of a next version."""
    slow = replace(ERRORS, metric="Duration", statistic="p99", threshold=200.0)
    check = asked("fault-counted", seeing(slow, counted=FaultCounts({"errors": 0.0}, 1.0, 2.0)))
    assert check.severity == "note"
    assert "no alarm that counts failures guards the group" in check.seen


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        (ARMED, None),
        (replace(ARMED, active=None), "a deployment runs"),
        (replace(ARMED, active=(LAST,)), "a deployment runs"),
        (seeing(replace(ERRORS, threshold=1.0)), "in ALARM: errors"),
        (seeing(replace(ERRORS, threshold=0.01, statistic="Average")), "in ALARM: errors"),
        (seeing(without=AlarmDefined), "no alarm that CloudWatch knows guards the group"),
        (seeing(replace(GROUP, alarms=()), without=AlarmDefined), "no alarm guards the group"),
    ],
    ids=["armed", "unknown", "deploying", "touchy", "average", "gone", "unguarded"],
)
def test_a_fault_is_sent_only_where_it_can_do_no_harm(snapshot: Snapshot, why: str | None) -> None:
    """It must not ring the alarm by itself, nor count against a deployment."""
    found = why_no_fault(snapshot)
    assert (found is None) if why is None else (found is not None and why in found)


@pytest.mark.parametrize(
    ("status", "severity"), [(200, "error"), (302, "error"), (404, "ok"), (502, "ok"), (None, "error")]
)
def test_a_fault_request_must_fail(status: int | None, severity: str) -> None:
    """By any 4xx or 5xx; whether that is counted is another question."""
    assert asked("fault-request", replace(ARMED, fault=Probed(status, problem="refused"))).severity == severity


# The release


@pytest.mark.parametrize(("exists", "severity"), [(True, "ok"), (False, "error"), (None, "unknown")])
def test_a_hook_must_exist(exists: bool | None, severity: str) -> None:
    """And one that could not be looked at is unknown."""
    hooks = (Hook("BeforeAllowTraffic", "pre", exists),)
    assert asked("hooks", replace(ARMED, hooks=hooks)).severity == severity


def test_a_hook_that_failed_the_last_deployment_is_named() -> None:
    """It would fail the next one, too."""
    failed = replace(LAST, status="Failed", error_code="HOOK_EXECUTION_FAILURE")
    lifecycle = (LifecycleEvent(name="AfterAllowTraffic", status="Failed"),)
    target = TargetSeen(**AT, deployment_id="d-1", status="Failed", lifecycle=lifecycle)
    check = asked("hooks", seeing(failed, target))
    assert (check.severity, "AfterAllowTraffic" in check.seen) == ("warning", True)


def test_the_deployment_that_is_attached_to_is_not_in_the_way() -> None:
    """An experiment that names it wants to watch just that."""
    running = replace(LAST, status="InProgress")
    experiment = replace(EXPERIMENT, deployment=replace(EXPERIMENT.deployment, id="d-1"))
    assert asked("no-active-deployment", replace(ARMED, active=(running,), experiment=experiment)).severity == "ok"
    assert asked("no-active-deployment", replace(ARMED, active=(running,))).severity == "error"


def test_weights_of_a_running_deployment_are_its_own() -> None:
    """They are no left-overs."""
    split = replace(ALIAS, weights={"8": 0.1})
    assert asked("alias-weights", seeing(split)).severity == "error"
    assert asked("alias-weights", seeing(split, active=(replace(LAST, status="InProgress"),))).severity == "note"


def test_how_the_last_deployment_ended_is_told() -> None:
    """As a note: it may have been a rehearsal."""
    stopped = replace(LAST, status="Stopped", error_code="ALARM_ACTIVE")
    assert "Stopped (ALARM_ACTIVE)" in asked("deployed-before", seeing(stopped)).seen


@pytest.mark.parametrize(
    ("denied", "untried", "severity"),
    [((), (), "ok"), ((), ("a:B",), "note"), (("c:D",), (), "warning"), (("a:B", "c:D"), (), "error")],
)
def test_permissions_are_as_bad_as_what_they_blind(
    denied: tuple[str, ...], untried: tuple[str, ...], severity: str
) -> None:
    """A run needs some of them, only the doctor the others."""
    snapshot = replace(ARMED, denied=denied, untried=untried, needed=frozenset({"a:B"}))
    assert asked("permissions", snapshot).severity == severity


@pytest.mark.parametrize(
    ("ahead_s", "severity"), [(0.0, "ok"), (-20.0, "ok"), (600.0, "warning"), (-600.0, "warning"), (None, "unknown")]
)
def test_a_clock_that_is_off_is_told(ahead_s: float | None, severity: str) -> None:
    """Either way; and without any date from AWS nobody knows."""
    assert asked("clock", replace(ARMED, clock_ahead_s=ahead_s)).severity == severity


@pytest.mark.parametrize(
    ("rule", "severity", "said"),
    [
        ("ALARM(errors)", "ok", "Each of errors"),
        ("ALARM(errors) OR ALARM(other)", "ok", "Each of errors, other"),
        ("ALARM(errors) AND ALARM(other)", "note", "errors, other can make both go to ALARM only together"),
        ("ALARM(errors) AND NOT ALARM(other)", "note", "other can never make both go to ALARM"),
        ("NOT ALARM(errors)", "error", "No failure can make both go to ALARM"),
        ("ALARM(errors) AND FALSE", "error", "No failure can make both go to ALARM"),
        ("SOMETHING NEW", "unknown", "cannot be read"),
    ],
)
def test_which_children_make_a_composite_go_to_alarm_is_told(rule: str, severity: str, said: str) -> None:
    """A child under NOT is no guard."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule=rule)
    check = asked("alarm-composite", seeing(replace(GROUP, alarms=("both",)), ERRORS, both))
    assert (check.severity, said in check.seen) == (severity, True), check.seen


def test_a_good_alarm_that_only_holds_a_composite_back_excuses_no_other() -> None:
    """The one that guards cannot breach, and so nothing stops the deployment."""
    bad = replace(ERRORS, name="bad", statistic="Average", threshold=3.0)
    held = AlarmDefined(**AT, name="both", kind="composite", rule="ALARM(bad) AND NOT ALARM(errors)")
    check = asked("alarm-threshold", seeing(replace(GROUP, alarms=("both",)), ERRORS, bad, held))
    assert (check.severity, "errors goes" in check.seen) == ("error", False)


def composed_of(rule: str) -> Snapshot:
    """What is seen of a group that names one composite of an alarm on Errors and one on latency."""
    both = AlarmDefined(**AT, name="both", kind="composite", rule=rule)
    slow = replace(ERRORS, name="slow", metric="Duration", statistic="p99", threshold=500.0)
    states = (AlarmSeen(**AT, name=name, state="OK") for name in ("both", "errors", "slow"))
    points = {**ARMED.points, ("slow", "m1"): ((-120.0, 5.0),)}
    return seeing(replace(GROUP, alarms=("both",)), ERRORS, slow, both, *states, points=points)


@pytest.mark.parametrize(
    ("rule", "code", "question", "severity"),
    [
        ("ALARM(errors) OR ALARM(slow)", 0, "enough-traffic", "ok"),
        ("ALARM(errors) AND OK(slow)", 0, "enough-traffic", "ok"),
        ("ALARM(errors) AND ALARM(slow)", 4, "enough-traffic", "unknown"),
        ("AT_LEAST(2, ALARM, (errors, slow))", 4, "enough-traffic", "unknown"),
        ("FALSE", 3, "alarm-composite", "error"),
        ("TRUE", 3, "alarm-composite", "error"),
        ("ALARM(errors) XOR ALARM(slow)", 4, "alarm-composite", "unknown"),
    ],
)
def test_a_composite_is_armed_only_where_failures_alone_take_it_to_alarm(
    rule: str, code: int, question: str, severity: str
) -> None:
    """A canary that fails every request, and is quick at it, passes an alarm that also asks for slowness."""
    snapshot = composed_of(rule)
    assert (diagnose(snapshot).exit_code, asked(question, snapshot).severity) == (code, severity)


def test_a_good_child_excuses_no_bad_one_that_is_needed_too() -> None:
    """AND needs both."""
    snapshot = composed_of("ALARM(errors) AND ALARM(bad)")
    bad = replace(ERRORS, name="bad", threshold=-1.0)
    snapshot = replace(snapshot, sightings=(*snapshot.sightings, bad, AlarmSeen(**AT, name="bad", state="OK")))
    assert asked("alarm-threshold", snapshot).severity == "error"


def test_the_chance_of_an_alarm_on_the_live_version_is_told_with_its_condition() -> None:
    """As it stands it counts no canary."""
    dimensions = {"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": ALIAS.version}
    check = asked("enough-traffic", seeing(replace(ERRORS, dimensions=dimensions)))
    assert (check.severity, check.seen.startswith("If each deployment moves errors to its own version: ")) == (
        "note",
        True,
    )
