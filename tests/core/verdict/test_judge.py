"""The verdict."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.core.experiment.planned_writes import STOPPING
from harness.core.experiment.types import Call, Experiment, Outcome
from harness.core.timeline.events import (
    Arrivals,
    Asked,
    Event,
    EvidenceFound,
    LifecycleEvent,
    Requests,
    RunEnded,
    RunStarted,
    TargetSeen,
    Totals,
    Write,
)
from harness.core.timeline.histogram import bin_of
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Verdict, result_in_words
from tests.core.conftest import FORWARD

STORIES = {
    "healthy": ("promoted", "cleared"),
    "erroruser": ("rolled_back", "caught"),
    "broken-canary": ("rolled_back", "caught"),
    "forced-alarm": ("rolled_back", "false_alarm"),
    "below-threshold": ("promoted", "cleared"),
    "thin-traffic": ("promoted", "inconclusive"),
    "late-fault": ("promoted", "missed"),
    "all-at-once": ("promoted", "missed"),
    "alarm-already-on": ("rolled_back", "false_alarm"),
    "hook-failure": ("rolled_back", "false_alarm"),
    "no-rollback": ("stopped", "missed"),
    "linear": ("rolled_back", "caught"),
    "wrong-dimension": ("promoted", "missed"),
}
HEALTH = (Call.MISSED, Call.INCONCLUSIVE, Call.CLEARED)
DANGER = (Call.FALSE_ALARM, Call.INCONCLUSIVE, Call.CAUGHT)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ended(events: list[Event], why: str, detail: str = "") -> list[Event]:
    """The timeline of a run that ended otherwise."""
    return [*events[:-1], RunEnded(at_s=events[-1].at_s, why=why, detail=detail)]


# Outcome and call


@pytest.mark.parametrize("name", STORIES)
def test_packaged_experiment_comes_out_as_it_states(name: str, row: Any, experiment: Any) -> None:
    """Given a truthful timeline, outcome and call are the ones that the experiment is there to show."""
    outcome, call = STORIES[name]
    verdict = judge(experiment(expect={"outcome": outcome, "call": call}), row(name))
    assert (verdict.outcome, verdict.call) == STORIES[name]
    assert (verdict.result, verdict.exit_code) == ("as_expected", 0)


def test_error_code_of_the_hook_is_in_the_verdict(row: Any, experiment: Any) -> None:
    """A Failed deployment says why."""
    assert judge(experiment(), row("hook-failure")).deployment.error_code == "HOOK_EXECUTION_FAILURE"


def test_weight_at_the_end_is_in_the_verdict(row: Any, experiment: Any) -> None:
    """A linear release was stopped on its way."""
    assert judge(experiment(), row("linear")).deployment.weight_at_end == pytest.approx(0.7)


def test_verdict_tells_each_shift_and_the_end(experiment: Any, row: Any) -> None:
    """A linear release shifts until it is stopped; each shift lies between two looks."""
    deployment = judge(experiment(), row("linear")).deployment
    assert [shift.weight for shift in deployment.shifts] == pytest.approx([step / 10 for step in range(1, 8)])
    for step, shift in enumerate(deployment.shifts):
        assert shift.at_s[0] <= 5 + 60 * step <= shift.at_s[1] <= 20 + 60 * step
    assert deployment.ended_s == pytest.approx((370.0, 370.0), abs=1.0)


def test_rollback_is_named(row: Any, experiment: Any) -> None:
    """Both deployments are in the verdict, the forward one first."""
    facts = judge(experiment(), row("erroruser")).deployment
    assert (facts.id, facts.rollback_id, facts.status) == ("d-FORWARD01", "d-ROLLBACK1", "Stopped")


# Result and exit code


@pytest.mark.parametrize(
    ("name", "result", "code"),
    [
        ("healthy", "as_expected", 0),
        ("erroruser", "as_expected", 0),
        ("forced-alarm", "contrary", 3),
        ("late-fault", "contrary", 3),
        ("thin-traffic", "inconclusive", 4),
        ("no-rollback", "contrary", 3),
    ],
)
def test_without_an_expectation_the_call_decides(name: str, result: str, code: int, row: Any, experiment: Any) -> None:
    """Cleared and caught are how it should be; missed and false alarms are not."""
    verdict = judge(experiment(), row(name))
    assert (verdict.result, verdict.exit_code) == (result, code)
    assert not verdict.has_expectation


@pytest.mark.parametrize("asked", [{"expect": {"call": ["caught", "cleared"]}}, {"criteria": {"failed_requests": 1}}])
def test_verdict_says_whether_anything_was_expected(asked: dict[str, Any], row: Any, experiment: Any) -> None:
    """A list of calls and a criterion are expectations, too."""
    assert judge(experiment(**asked), row("healthy")).has_expectation


def test_other_outcome_than_expected_is_contrary(row: Any, experiment: Any) -> None:
    """The sentence names both."""
    verdict = judge(experiment(expect={"outcome": "promoted"}), row("erroruser"))
    assert (verdict.result, verdict.exit_code) == ("contrary", 3)
    assert "The outcome promoted was expected, and it was rolled back." in verdict.because


@pytest.mark.parametrize("expect", [{"outcome": "promoted"}, {"outcome": "promoted", "within_s": 360}])
def test_promotion_alone_proves_no_health(expect: dict[str, Any], row: Any, experiment: Any) -> None:
    """A canary of which too little is known was promoted, as expected, and CI must not be green."""
    verdict = judge(experiment(expect=expect), row("thin-traffic"))
    assert (verdict.outcome, verdict.call) == (Outcome.PROMOTED, Call.INCONCLUSIVE)
    assert (verdict.result, verdict.exit_code) == ("inconclusive", 4)
    assert judge(experiment(expect=expect), row("healthy")).exit_code == 0


def test_a_rollback_alone_proves_no_good_net(row: Any, experiment: Any) -> None:
    """It was rolled back, as expected, and whether anything was caught is not known."""
    verdict = judge(experiment(expect={"outcome": "rolled_back"}), row("forced-alarm", rate=0.1))
    assert verdict.call is Call.INCONCLUSIVE
    assert (verdict.result, verdict.exit_code) == ("inconclusive", 4)
    assert judge(experiment(expect={"outcome": "rolled_back"}), row("forced-alarm")).exit_code == 0


def test_a_missed_canary_is_told_by_what_was_asked(row: Any, experiment: Any) -> None:
    """Where nothing was expected, nothing is contrary to it, and the exit code is that of a missed canary."""
    asked, unasked = (
        judge(experiment(**given), row("late-fault")) for given in ({"expect": {"outcome": "promoted"}}, {})
    )
    assert (asked.exit_code, unasked.exit_code) == (3, 3)
    assert (result_in_words(asked), result_in_words(unasked)) == ("contrary", "went wrong")
    assert any("expect.call" in said for said in asked.because)
    assert not any("expect" in said for said in unasked.because)


def test_other_call_than_expected_is_contrary(row: Any, experiment: Any) -> None:
    """Outcome as expected, for the wrong reason."""
    verdict = judge(experiment(expect={"outcome": "rolled_back", "call": "caught"}), row("forced-alarm"))
    assert verdict.result == "contrary"
    assert verdict.expected_call is Call.CAUGHT


def test_expected_call_that_cannot_be_told_is_inconclusive(row: Any, experiment: Any) -> None:
    """No data is neither for nor against."""
    assert judge(experiment(expect={"call": "missed"}), row("thin-traffic")).result == "inconclusive"


def test_call_alone_can_be_expected(row: Any, experiment: Any) -> None:
    """A missed canary may be what the experiment is there to show."""
    assert judge(experiment(expect={"call": "missed"}), row("late-fault")).result == "as_expected"


@pytest.mark.parametrize(
    ("name", "within_s", "result"),
    [
        ("erroruser", 134.0, "as_expected"),
        ("erroruser", 132.0, "inconclusive"),
        ("erroruser", 130.0, "contrary"),
        ("healthy", 306.0, "as_expected"),
        ("healthy", 305.0, "contrary"),
        ("no-rollback", 100.0, "contrary"),
    ],
)
def test_time_limit_is_held_against_bounds(name: str, within_s: float, result: str, row: Any, experiment: Any) -> None:
    """Restored between 131 and 134 s: 132 s may or may not have been kept."""
    expect = {"outcome": STORIES[name][0], "within_s": within_s}
    assert judge(experiment(expect=expect), row(name)).result == result


def test_criterion_that_is_not_met_is_contrary(row: Any, experiment: Any) -> None:
    """Even where the outcome is as expected."""
    verdict = judge(experiment(criteria={"time_to_detect_s": 60}), row("erroruser"))
    assert verdict.exit_code == 3
    assert "time_to_detect_s was 120.5, and at most 60 was asked." in verdict.because


def test_criterion_that_was_not_measured_is_inconclusive(row: Any, experiment: Any) -> None:
    """A healthy release detects nothing."""
    assert judge(experiment(criteria={"time_to_detect_s": 60}), row("healthy")).exit_code == 4


def test_zero_requests_never_turn_green(row: Any, experiment: Any) -> None:
    """CodeDeploy promoted, as expected, and nothing was proved."""
    verdict = judge(experiment(expect={"outcome": "promoted"}), row("healthy", rate=0, metrics=False))
    assert (verdict.outcome, verdict.result, verdict.exit_code) == ("promoted", "inconclusive", 4)


def test_requests_without_any_answer_never_turn_green(row: Any, experiment: Any, sent: Any) -> None:
    """A host that does not answer proves nothing either."""
    silent = [sent(float(at_s), ok=False, status=0, version=None) for at_s in range(70, 400)]
    events = [*row("healthy", rate=0, metrics=False), *silent]
    assert judge(experiment(expect={"outcome": "promoted"}), events).exit_code == 4


@pytest.mark.parametrize(
    ("why", "result", "code"),
    [
        ("guard_rail", "aborted", 5),
        ("stopped", "inconclusive", 4),
        ("given_up", "inconclusive", 4),
        ("failed", "inconclusive", 1),
    ],
)
def test_run_that_was_cut_short_proves_nothing(why: str, result: str, code: int, row: Any, experiment: Any) -> None:
    """Whatever it had seen until then, and whatever was expected."""
    verdict = judge(experiment(expect={"outcome": "promoted"}), ended(row("erroruser"), why, "because"))
    assert (verdict.result, verdict.exit_code) == (result, code)
    assert any("because" in sentence for sentence in verdict.because)


def test_giving_up_is_fine_where_the_outcome_was_expected(row: Any, experiment: Any) -> None:
    """An experiment may wait for nothing to happen."""
    events = ended(row("no-rollback"), "given_up")
    assert judge(experiment(expect={"outcome": "stopped", "call": "missed"}), events).exit_code == 0


def test_no_deployment_is_inconclusive_unless_expected(row: Any, experiment: Any, sent: Any) -> None:
    """The looks were good and showed none."""
    looked = [event for event in row("healthy") if event.at_s < 59]
    idle = [*looked, RunEnded(at_s=59.0, why="settled")]
    verdict = judge(experiment(expect={"outcome": "promoted"}), idle)
    assert (verdict.outcome, verdict.exit_code) == ("not_started", 4)
    assert judge(experiment(expect={"outcome": "not_started"}), idle).exit_code == 0
    cut_off = judge(experiment(expect={"outcome": "not_started"}), looked)
    assert (cut_off.outcome, cut_off.exit_code) == ("unknown", 4)
    assert "cut off" in cut_off.because[0]


def test_nothing_at_all_is_unknown_with_a_reason(experiment: Any) -> None:
    """An empty timeline has a verdict."""
    verdict = judge(experiment(), [])
    assert (verdict.outcome, verdict.call, verdict.exit_code) == ("unknown", "inconclusive", 4)
    assert verdict.because


# Reasons


def test_first_reason_says_what_codedeploy_did(row: Any, experiment: Any) -> None:
    """With id, code, time and version."""
    assert judge(experiment(), row("erroruser")).because[0] == (
        "CodeDeploy stopped d-FORWARD01 with ALARM_ACTIVE 131 s after its creation and rolled back to version 1, "
        "where all traffic was again 131 to 134 s after the creation."
    )
    assert judge(experiment(), row("healthy")).because[0] == (
        "CodeDeploy promoted version 2 with d-FORWARD01 306 s after its creation."
    )
    assert judge(experiment(), row("no-rollback")).because[0].endswith("after its creation; no rollback followed.")


def test_second_reason_says_whether_harm_was_done(row: Any, experiment: Any) -> None:
    """With numbers and sample size."""
    because = judge(experiment(), row("broken-canary")).because
    assert "Errors Sum >= 3 in 60 s" in because[1]
    assert "of 279 requests, the baseline 0 of" in because[2]


def test_refused_creation_is_told(experiment: Any) -> None:
    """There is no deployment because CodeDeploy said no."""
    refused = Write(at_s=60.0, call="codedeploy:CreateDeployment", subject="group", step="failed", detail="limit")
    assert judge(experiment(), [refused]).because[0] == "No deployment was created: limit"


# Properties


def test_verdict_survives_json(row: Any, rows: tuple[str, ...], experiment: Any) -> None:
    """verdict.json gives the same verdict again: no infinite number, no type of ours."""
    for name in rows:
        verdict = judge(experiment(), row(name))
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


def test_judging_twice_gives_the_same_verdict(row: Any, experiment: Any) -> None:
    """Record first, judge later, as often as you like."""
    events = row("erroruser")
    assert judge(experiment(), events) == judge(experiment(), events)


@FEW
@given(name=st.sampled_from(sorted(STORIES)), share=st.floats(0, 1))
def test_every_prefix_has_a_verdict_that_claims_no_more_than_was_seen(
    name: str, share: float, row: Any, experiment: Any
) -> None:
    """A run that died anywhere is judged, and its outcome is the later one's or open."""
    events = row(name)
    verdict = judge(experiment(), events[: int(share * len(events))])
    assert verdict.outcome in (Outcome(STORIES[name][0]), Outcome.UNKNOWN)
    assert verdict.because


@FEW
@given(name=st.sampled_from(sorted(STORIES)), kept=st.floats(0, 1), seed=st.integers())
def test_any_part_of_a_timeline_has_a_verdict(name: str, kept: float, seed: int, row: Any, experiment: Any) -> None:
    """Whatever lines are missing, judging ends in a verdict with a reason."""
    chance = random.Random(seed)
    events = [event for event in row(name) if chance.random() < kept]
    verdict = judge(experiment(criteria={"blast_radius": 0.1}), events)
    assert verdict.because
    assert msgspec.json.encode(verdict)


@FEW
@given(
    name=st.sampled_from(["healthy", "below-threshold", "thin-traffic", "broken-canary", "forced-alarm", "linear"]),
    at_s=st.integers(60, 360),
    count=st.integers(1, 300),
    intent=st.sampled_from(["good", "fault"]),
)
def test_failures_of_the_canary_never_improve_health(
    name: str, at_s: int, count: int, intent: str, row: Any, experiment: Any, sent: Any
) -> None:
    """Adding failed requests moves a call towards harm or not at all."""
    events = row(name)
    failure = sent(float(at_s), count=count, ok=False, intent=intent, version="2")
    before, after = judge(experiment(), events), judge(experiment(), [*events, failure])
    order = HEALTH if before.outcome is Outcome.PROMOTED else tuple(reversed(DANGER))
    assert order.index(after.call) <= order.index(before.call)
    assert after.outcome is before.outcome


def test_missed_canary_is_never_as_expected_unless_it_is_said(row: Any, experiment: Any) -> None:
    """A release that hurt users and was promoted all the same is no success."""
    verdict = judge(experiment(expect={"outcome": "promoted"}), row("late-fault"))
    assert (verdict.call, verdict.result, verdict.exit_code) == ("missed", "contrary", 3)


def test_late_load_generator_proves_nothing(row: Any, experiment: Any, sent: Any) -> None:
    """Requests that start over a minute late belong to other datapoints than was planned."""
    late = Arrivals(at_s=100.0, planned=10_000, started=10_000, lag={bin_of(2.0): 10_000})
    timeline = [*row("healthy"), late, sent(100.0, count=10_000)]
    fast = [replace(event, speed=60.0) if isinstance(event, RunStarted) else event for event in timeline]
    assert judge(experiment(), timeline).exit_code == 0
    assert judge(experiment(), fast).result == "inconclusive"


def test_requests_that_never_started_prove_nothing(row: Any, experiment: Any) -> None:
    """Half of the traffic is not the traffic that was asked for."""
    skipped = Arrivals(at_s=100.0, planned=100_000, started=50_000, unstarted=50_000)
    assert judge(experiment(), [*row("healthy"), skipped]).result == "inconclusive"


def test_requests_of_which_nothing_is_known_prove_nothing(row: Any, experiment: Any) -> None:
    """A tenth of the rows is missing: planned, and neither sent nor given up."""
    whole = row("healthy")
    lossy = [event for event in whole if not isinstance(event, Requests) or event.at_s % 10]
    verdict = judge(experiment(), lossy)
    assert verdict.result == "inconclusive"
    assert "Nothing is known of" in " ".join(verdict.because)
    assert verdict.traffic.lost == verdict.traffic.planned - verdict.traffic.sent > 0
    assert judge(experiment(), whole).traffic.lost == 0


@pytest.mark.parametrize(("name", "result"), [("healthy", "inconclusive"), ("late-fault", "contrary")])
def test_requests_that_nobody_recorded_make_a_result_inconclusive_at_best(
    name: str, result: str, row: Any, experiment: Any
) -> None:
    """One is enough: a canary whose failures were missed reads as cleared."""
    events = row(name)
    verdict = judge(experiment(), [*events[:-1], Totals(at_s=1.0, counted=1000, recorded=999), events[-1]])
    assert verdict.result == result


@pytest.mark.parametrize("name", ["erroruser", "broken-canary", "late-fault", "healthy"])
def test_what_a_locustfile_thinks_of_a_status_changes_nothing(name: str, row: Any, experiment: Any) -> None:
    """With `response.success()` on an expected 502 the verdict is the same."""
    events = row(name)
    marked = [replace(event, outcome="ok") if isinstance(event, Requests) else event for event in events]
    assert judge(experiment(), marked) == judge(experiment(), events)


def test_without_http_an_answer_is_one_all_the_same(row: Any, experiment: Any) -> None:
    """The exception of a request alone says how it went."""
    unlike = [
        replace(event, status=0, http=False) if isinstance(event, Requests) else event for event in row("healthy")
    ]
    verdict = judge(experiment(), unlike)
    assert (verdict.call, verdict.exit_code) == ("cleared", 0)


FOUND = EvidenceFound(at_s=240.0, of="failures", e_value=44.0, least=40.0, canary=(4, 8), baseline=(0, 132))
ASKED = Write(at_s=241.0, call=STOPPING, subject=FORWARD, step="done")
BY_ANA = Asked(at_s=241.0, what="roll_back", value=FORWARD, by="Ana (127.0.0.1)")


def test_rollback_that_a_person_asked_for_is_no_false_alarm(build: Any, judged: Any) -> None:
    """No alarm did anything, neither well nor badly."""
    undone = {"end": "rolled_back", "end_s": 191.0, "error_code": "MANUAL_STOP"}
    verdict = judged(build(**undone))
    assert (verdict.outcome, verdict.call, verdict.exit_code) == ("rolled_back", "inconclusive", 4)
    assert any("Somebody stopped the deployment (MANUAL_STOP), and no alarm did" in said for said in verdict.because)
    hurt = judged(build(**undone, canary_fails=0.3))
    assert (hurt.call, hurt.exit_code) == ("inconclusive", 4)  # the harm is a fact, and the net did not catch it


@pytest.mark.parametrize("code", ["MANUAL_STOP", "ALARM_ACTIVE", "", "SOMETHING_NEW"])
@pytest.mark.parametrize("found", [(), (FOUND,)])
def test_an_operators_rollback_is_never_the_alarms(build: Any, judged: Any, code: str, found: tuple[Event]) -> None:
    """Whatever code CodeDeploy gives it, for AWS does not document which; and not the harness's own either."""
    events = [*build(end="rolled_back", end_s=191.0, error_code=code, canary_fails=0.3), *found, ASKED, BY_ANA]
    verdict = judged(events, expect={"outcome": "rolled_back"})
    assert (verdict.outcome, verdict.call, verdict.exit_code) == ("rolled_back", "inconclusive", 4)
    assert any(said.startswith("Ana (127.0.0.1), as operator, stopped the deployment") for said in verdict.because)
    assert not any("The harness stopped" in said for said in verdict.because)


@pytest.mark.parametrize("step", ["refused", "unanswered"])
def test_an_alarms_rollback_stays_the_alarms_where_the_stop_came_too_late(build: Any, judged: Any, step: Any) -> None:
    """CodeDeploy names the alarm, and did not take our call."""
    events = build(end="rolled_back", end_s=191.0, error_code="ALARM_ACTIVE", canary_fails=0.3)
    verdict = judged([*events, replace(ASKED, step=step), replace(BY_ANA, refused="no answer")])
    assert verdict.call == "caught"
    assert not any("operator" in said for said in verdict.because)


@pytest.mark.parametrize("error_code", ["MANUAL_STOP", "SOMETHING_NEW"])
@pytest.mark.parametrize(("fails", "call", "code"), [(0.3, "caught", 0), (0.0, "inconclusive", 4)])
def test_a_stop_on_evidence_is_told_as_the_harness_own(
    build: Any, judged: Any, error_code: str, fails: float, call: str, code: int
) -> None:
    """And never as the alarm's: neither as one that worked, nor as a false one."""
    events = build(end="rolled_back", end_s=191.0, error_code=error_code, canary_fails=fails)
    verdict = judged([*events, FOUND, ASKED])
    assert (verdict.outcome, verdict.call, verdict.exit_code) == ("rolled_back", call, code)
    assert verdict.deployment.stopped_on == "failures"
    said = next(said for said in verdict.because if said.startswith("The harness stopped the deployment"))
    assert "4 of 8 answers of the canary failed, and 0 of 132 of the baseline (e-value 44, and 40 suffices)" in said
    assert said.endswith("No alarm did, so nothing is proved of the alarm.")
    assert not any("Somebody stopped" in said for said in verdict.because)


@pytest.mark.parametrize(
    ("error_code", "step"), [("ALARM_ACTIVE", "done"), ("MANUAL_STOP", "refused"), ("MANUAL_STOP", "intended")]
)
def test_what_an_alarm_or_a_person_stopped_is_not_the_harness_doing(
    build: Any, judged: Any, error_code: str, step: Any
) -> None:
    """Also where the harness was about to, or was refused."""
    events = build(end="rolled_back", end_s=191.0, error_code=error_code, canary_fails=0.3)
    verdict = judged([*events, FOUND, replace(ASKED, step=step)])
    assert verdict.deployment.stopped_on is None
    assert not any("The harness stopped" in said for said in verdict.because)


@pytest.mark.parametrize(
    ("script", "named"), [("shop-check", "the function shop-check did not call"), (None, "its function did not call")]
)
def test_a_hook_that_did_not_report_is_the_reason(row: Any, script: str | None, named: str) -> None:
    """Which function in which lifecycle event, once, as far as CodeDeploy or the AppSpec tells."""
    events = [event for event in row("healthy") if event.at_s < 100]
    hook = LifecycleEvent(name="BeforeAllowTraffic", status="InProgress", started_s=1.0, script=script)
    target = next(event for event in events if isinstance(event, TargetSeen))
    waiting = replace(target, asked_s=100.0, at_s=100.0, weight=0.0, lifecycle=(hook,))
    verdict = judge(Experiment(name="x"), [*events, waiting, RunEnded(at_s=101.0, why="given_up")])
    (said,) = [reason for reason in verdict.because if "PutLifecycleEventHookExecutionStatus" in reason]
    assert f"its hook BeforeAllowTraffic: {named} PutLifecycleEventHookExecutionStatus within 99 s" in said
