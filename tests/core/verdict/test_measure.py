"""What was measured."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    AliasSeen,
    Arrivals,
    DeploymentSeen,
    Event,
    Exemplar,
    FaultEnded,
    FaultStarted,
    MetricSeen,
    Requests,
    TargetSeen,
    Write,
)
from harness.core.timeline.histogram import bin_of
from harness.core.timeline.rollout import replay
from harness.core.verdict.evidence import Evidence, evidence_of, planned_share
from harness.core.verdict.guards import rules_of
from harness.core.verdict.measure import (
    achieved_share,
    alarm_start,
    arms_of,
    attribution_of,
    detection_of,
    exposure_of,
    measure,
    metric_sum,
    requests_per_s,
    traffic_of,
)
from harness.core.verdict.types import ArmFacts, Arms, Attribution, Detection, Exposure


@pytest.fixture
def look_into(experiment: Any) -> Any:
    """Sorts a timeline for measuring: `look_into(events, traffic={...})`."""

    def sorted_out(events: list[Event], **keys: Any) -> Evidence:
        return evidence_of(experiment(**keys), events, replay(events))

    return sorted_out


def metric(name: str, version: str | None, *points: tuple[float, float]) -> MetricSeen:
    """Datapoints of a Lambda metric."""
    return MetricSeen(at_s=400.0, asked_s=399.0, metric=name, version=version, period_s=60, points=points)


# Traffic


def test_nothing_measured_is_none_and_never_zero(look_into: Any) -> None:
    """An empty timeline has no numbers."""
    evidence = look_into([])
    facts = traffic_of(evidence)
    assert (facts.planned, facts.unstarted, facts.error_share, facts.schedule_lag_p99_s) == (None, None, None, None)
    assert arms_of(evidence) == Arms(baseline=ArmFacts(), canary=ArmFacts())
    assert exposure_of(evidence, ArmFacts()) == Exposure()
    assert attribution_of(evidence) == Attribution()
    assert detection_of(evidence) == Detection()


def test_requests_are_counted_by_intent_and_answer(look_into: Any, build: Any) -> None:
    """Five percent of the requests were meant to fail, and failed."""
    facts = traffic_of(look_into(build(faults=((0, 9e9, 0.05),))))
    assert facts.planned == facts.sent == facts.good.ok + facts.fault.failed
    assert (facts.good.failed, facts.fault.ok) == (0, 0)
    assert facts.fault.failed == 366


def test_achieved_share_is_over_the_time_in_which_one_was_planned(look_into: Any, build: Any) -> None:
    """Requests before and after the fault do not dilute it."""
    assert achieved_share(look_into(build(faults=((60, 120, 0.2),)))) == pytest.approx(0.2)


def test_achieved_share_without_any_planned_is_measured_as_zero(look_into: Any, build: Any) -> None:
    """There was traffic and none of it was meant to fail."""
    assert achieved_share(look_into(build())) == 0.0


def test_experiments_own_share_is_planned_from_the_creation_on(look_into: Any, build: Any) -> None:
    """Error users before it would have the alarm on already."""
    evidence = look_into(build(), traffic={"error_share": 0.05})
    assert (planned_share(evidence, 59.9), planned_share(evidence, 60.0)) == (0.0, 0.05)


def test_fault_overrides_the_share_while_it_lasts(look_into: Any, build: Any) -> None:
    """A healed fault gives way to the experiment's own share."""
    fault = FaultStarted(at_s=100.0, fault="more", kind="error_share", value="0.5")
    evidence = look_into([*build(), fault, FaultEnded(at_s=200.0, fault="more")], traffic={"error_share": 0.05})
    assert [planned_share(evidence, at_s) for at_s in (99.0, 100.0, 199.0, 200.0)] == [0.05, 0.5, 0.5, 0.05]


# Arms


def test_arms_are_compared_while_they_share_the_traffic(look_into: Any, build: Any) -> None:
    """After the promotion the canary has all requests, and none of them counts here."""
    arms = arms_of(look_into(build()))
    assert arms.source == "response header"
    assert arms.baseline.requests + arms.canary.requests == 20 * 306
    assert arms.canary.requests == pytest.approx(600, rel=0.1)


def test_broken_canary_is_told_from_its_baseline(look_into: Any, build: Any) -> None:
    """Half of the canary's requests fail, none of the baseline's."""
    arms = arms_of(look_into(build(canary_fails=0.5)))
    assert arms.baseline.failures == 0
    assert arms.canary.failures == arms.canary.requests // 2
    assert arms.canary.failure_interval[0] < 0.5 < arms.canary.failure_interval[1]
    assert arms.p_value <= 1e-30  # smaller ones are cut off


def test_fault_requests_do_not_blame_the_canary(look_into: Any, build: Any) -> None:
    """They fail on every version and are left out of the comparison, not of the counts."""
    arms = arms_of(look_into(build(faults=((0, 9e9, 0.2),))))
    assert arms.p_value == 1.0
    assert arms.canary.failures > 0


def test_fault_that_came_late_in_a_linear_release_is_not_the_canarys(look_into: Any, row: Any) -> None:
    """Both versions fail 5 % while the fault lasts, and the canary has half of the traffic then."""
    evidence = look_into(row("linear"))
    arms = arms_of(evidence)
    rates = [arm.failures / arm.requests for arm in (arms.baseline, arms.canary)]
    assert rates == [pytest.approx(0.05, abs=0.02)] * 2
    assert arms.p_value == 1.0
    low, high = exposure_of(evidence, arms.canary).all_at_once_failures
    assert low < 0.05 * 20 * 130 < high
    assert high < 200


def test_weight_that_did_not_change_compares_all_the_time(look_into: Any, row: Any) -> None:
    """A fault that came late hits both versions alike."""
    arms = arms_of(look_into(row("late-fault")))
    assert arms.baseline.requests + arms.canary.requests == pytest.approx(20 * 305, abs=100)


def test_function_that_failed_late_in_a_linear_release_does_not_blame_the_canary(
    look_into: Any, build: Any, row: Any
) -> None:
    """Good requests of both versions fail alike while the concurrency is taken; mixed, the canary would seem worse."""
    went = {"canary_fails": 0.2, "baseline_fails": 0.2, "faults": ()}
    broken, healthy = row("linear", **went), row("linear", faults=())
    events = [
        *[event for event in healthy if not isinstance(event, Requests) or event.at_s < 300],
        *[event for event in broken if isinstance(event, Requests) and event.at_s >= 300],
        FaultStarted(at_s=300.0, fault="taken", kind="concurrency", value="0"),
    ]
    arms = arms_of(look_into(sorted(events, key=lambda event: event.at_s)))
    assert arms.p_value > 0.01
    assert arms.baseline.failures / arms.baseline.requests == pytest.approx(0.2, abs=0.05)


def test_periods_of_cloudwatch_are_compared_whole_where_the_faults_changed(look_into: Any, row: Any) -> None:
    """A period in which the fault began is mixed, and left out."""
    evidence = look_into(row("linear", headers=False, faults=((250, 9e9, 0.05),)))
    arms = arms_of(evidence)
    assert arms.source == "cloudwatch"
    assert arms.p_value > 0.01
    assert arms.baseline.failures / arms.baseline.requests == pytest.approx(0.05, abs=0.02)


def test_arms_are_not_compared_by_periods_where_faults_came_and_went(look_into: Any, row: Any) -> None:
    """No period is known to be of one kind: nothing is claimed."""
    events = row("linear", headers=False, faults=((100, 130, 0.05), (250, 280, 0.05)))
    arms = arms_of(look_into(events))
    assert (arms.source, arms.canary.requests, arms.p_value) == ("unknown", None, None)


def test_percentiles_are_over_good_and_failed_answers_alike(look_into: Any, build: Any) -> None:
    """Every request took 20 ms."""
    arm = arms_of(look_into(build(canary_fails=0.5))).canary
    assert (arm.p50_ms, arm.p95_ms, arm.p99_ms) == (pytest.approx(20, rel=0.01),) * 3


def test_without_headers_cloudwatch_tells_the_arms(look_into: Any, build: Any) -> None:
    """Invocations and Errors by executed version are the second source, and have no latencies."""
    arms = arms_of(look_into(build(headers=False, canary_fails=0.5)))
    assert arms.source == "cloudwatch"
    assert arms.canary.failures == pytest.approx(arms.canary.requests / 2, abs=1)
    assert arms.canary.p99_ms is None
    assert arms.p_value <= 1e-30  # smaller ones are cut off


def test_headers_on_good_answers_alone_are_not_trusted(look_into: Any, build: Any) -> None:
    """A gateway that answers 502 by itself leaves the version out: counting by header would show no failures."""
    events = [_without_version(event) for event in build(canary_fails=0.5)]
    assert arms_of(look_into(events)).source == "cloudwatch"
    no_metrics = [event for event in events if not isinstance(event, MetricSeen)]
    arms = arms_of(look_into(no_metrics))
    assert (arms.source, arms.canary.requests) == ("unknown", None)


def _without_version(event: Event) -> Event:
    failed = isinstance(event, Requests) and event.outcome == "failed"
    return msgspec.structs.replace(event, version=None) if failed else event


def test_canary_that_never_had_traffic_has_zero_requests(look_into: Any, row: Any) -> None:
    """Zero is measured here, not missing; and there is nothing to compare."""
    arms = arms_of(look_into(row("alarm-already-on")))
    assert arms.canary.requests == 0
    assert arms.p_value is None


def test_last_look_at_a_period_wins(look_into: Any, build: Any) -> None:
    """Metrics grow while they are published."""
    events = [*build(metrics=False), metric("Errors", "2", (60.0, 1.0)), metric("Errors", "2", (60.0, 5.0))]
    assert metric_sum(look_into(events), "Errors", "2", (0.0, 400.0)) == 5


def test_series_without_datapoints_is_none(look_into: Any, build: Any) -> None:
    """No datapoint is not zero errors."""
    assert metric_sum(look_into(build(metrics=False)), "Errors", "2", (0.0, 400.0)) is None


# Exposure


def test_exposure_counts_requests_and_users_that_met_a_failure(look_into: Any, build: Any, sent: Any) -> None:
    """Only from the creation on; a persona counts once."""
    hurt = [sent(100.0, ok=False, persona="beta"), sent(101.0, ok=False, persona="beta"), sent(102.0, count=7)]
    before = sent(10.0, ok=False, persona="qa")
    exposure = exposure_of(look_into([*build(rate=0, metrics=False), before, *hurt]), ArmFacts())
    told = (exposure.failed_requests, exposure.failed_good_requests, exposure.users, exposure.blast_radius)
    assert told == (2, 2, 1, pytest.approx(2 / 9))


def test_rate_is_over_the_time_that_had_traffic(look_into: Any, build: Any) -> None:
    """Looks that go on after the load do not thin it out."""
    late = MetricSeen(at_s=900.0, asked_s=899.0, metric="Errors", version=None, period_s=60, points=())
    assert requests_per_s(look_into([*build(), late])) == pytest.approx(20.0)
    unplanned = [event for event in build() if not isinstance(event, Arrivals)]
    assert requests_per_s(look_into([*unplanned, late])) == pytest.approx(20.0, rel=0.01)
    assert requests_per_s(look_into([late])) is None


def test_error_budget_is_that_of_the_objective_at_the_rate_of_the_run(look_into: Any, row: Any) -> None:
    """Ten times the budget takes a tenth of the share."""
    strict, lenient = (
        exposure_of(look_into(row("erroruser"), objective={"availability": share}), ArmFacts())
        for share in (0.999, 0.99)
    )
    budget = 0.001 * 20 * 30 * 86_400
    assert strict.error_budget_share == pytest.approx(strict.failed_requests / budget, rel=0.02)
    assert lenient.error_budget_share == pytest.approx(strict.error_budget_share / 10)


def test_all_at_once_would_have_exposed_all_traffic_to_the_canary(look_into: Any, row: Any) -> None:
    """A canary that fails half of its requests would have failed half of all, over the same time."""
    evidence = look_into(row("broken-canary"))
    low, high = exposure_of(evidence, arms_of(evidence).canary).all_at_once_failures
    assert low < 0.5 * 20 * 130 < high


def test_all_at_once_is_not_guessed_where_the_arms_never_shared_the_traffic(look_into: Any, row: Any) -> None:
    """There is no canary to learn from."""
    evidence = look_into(row("all-at-once"))
    assert exposure_of(evidence, arms_of(evidence).canary).all_at_once_failures is None


# The first clean minute


def test_first_clean_minute_begins_when_the_rollback_ended_all_failures(look_into: Any, row: Any) -> None:
    """The baseline answers everything well again."""
    evidence = look_into(row("broken-canary", after_s=120.0))
    assert detection_of(evidence).clean_s == pytest.approx(
        evidence.release.restored[1] - evidence.release.created_s, abs=2
    )


def test_first_clean_minute_is_not_claimed_of_less_than_a_minute(look_into: Any, row: Any) -> None:
    """A run that ended too early saw none."""
    assert detection_of(look_into(row("broken-canary", after_s=40.0))).clean_s is None


def test_first_clean_minute_never_comes_while_error_users_go_on(look_into: Any, row: Any) -> None:
    """They fail on every version."""
    assert detection_of(look_into(row("erroruser", after_s=200.0))).clean_s is None


def test_first_clean_minute_needs_traffic(look_into: Any, build: Any, sent: Any) -> None:
    """A silent minute is not a clean one."""
    events = [*build(rate=0, metrics=False, after_s=300.0), sent(100.0, ok=False)]
    assert detection_of(look_into(events)).clean_s is None


# Attribution


def test_all_errors_of_a_broken_canary_are_its_own(look_into: Any, row: Any) -> None:
    """The alarm counted nobody else's."""
    told = attribution_of(look_into(row("broken-canary")))
    assert told.source == "cloudwatch"
    assert told.counted_errors > 100
    assert told.canary_share == 1.0


def test_an_alarm_on_another_version_counted_none_of_the_canarys(look_into: Any, row: Any) -> None:
    """All failures were the canary's, and it does not look at them."""
    on_the_baseline = {"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": "1"}
    events = [
        msgspec.structs.replace(event, dimensions=on_the_baseline) if isinstance(event, AlarmDefined) else event
        for event in row("broken-canary")
    ]
    told = attribution_of(look_into(events))
    assert (told.counted_errors, told.from_canary) == (0, 0)


def test_errors_of_error_users_are_mostly_the_baselines(look_into: Any, row: Any) -> None:
    """They fail on every version, and the baseline has nine tenths of the traffic."""
    assert attribution_of(look_into(row("erroruser"))).canary_share == pytest.approx(0.1, abs=0.05)


def test_headers_attribute_where_cloudwatch_does_not(look_into: Any, row: Any) -> None:
    """Response headers are the fallback."""
    told = attribution_of(look_into(row("broken-canary", metrics=False)))
    assert (told.source, told.canary_share) == ("response header", 1.0)


def test_only_what_the_metric_counts_is_attributed_by_header(look_into: Any, row: Any) -> None:
    """A returned 500 is no Error of Lambda, so no alarm counted it."""
    told = attribution_of(look_into(row("broken-canary", metrics=False, failed_status=500)))
    assert (told.counted_errors, told.canary_share) == (0, None)


def test_alarm_on_the_canarys_version_counts_no_other(look_into: Any, row: Any) -> None:
    """ExecutedVersion leaves the baseline's errors out."""
    dimensions = {"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": "2"}
    told = attribution_of(look_into(row("erroruser", dimensions=dimensions)))
    assert told.counted_errors == told.from_canary


@pytest.mark.parametrize("metrics", [True, False])
def test_errors_of_an_unknown_canary_are_nobodys(look_into: Any, row: Any, metrics: bool) -> None:
    """Where no look told which version is on trial, nothing is said not to be its: neither a share nor an arm."""
    looks = AliasSeen | DeploymentSeen | TargetSeen
    failing = row("erroruser", metrics=metrics, headers=True)
    failing = [event for event in failing if not isinstance(event, looks)]
    evidence = look_into(failing)
    told = attribution_of(evidence)
    assert told.counted_errors > 100
    assert (told.from_canary, told.canary_share) == (None, None)
    assert (arms_of(evidence).baseline, arms_of(evidence).canary) == (ArmFacts(), ArmFacts())


def test_no_share_of_nothing(look_into: Any, row: Any) -> None:
    """Zero errors came from nobody."""
    assert attribution_of(look_into(row("healthy"))).canary_share is None


# Detection


def test_ledger_of_error_users(look_into: Any, row: Any) -> None:
    """Every instant counts from the creation, and both times from the first fault."""
    ledger = detection_of(look_into(row("erroruser")))
    assert ledger.first_fault_s == 0.0
    assert ledger.breach_s == 60.0
    assert ledger.alarm_s == (120.5, 120.5)
    assert ledger.stopped_s == (131.0, 131.0)
    assert ledger.restored_s == (131.0, 134.0)
    assert ledger.time_to_detect_s == (120.5, 120.5)
    assert ledger.time_to_roll_back_s == (131.0, 134.0)


def test_times_of_a_broken_canary_count_from_its_first_failure(look_into: Any, row: Any) -> None:
    """Without fault requests the first harm on the canary is the origin."""
    ledger = detection_of(look_into(row("broken-canary")))
    assert ledger.first_fault_s is None
    assert ledger.first_error_s == 5.0
    assert ledger.time_to_detect_s == (115.5, 115.5)


def test_a_good_request_that_the_baseline_failed_starts_no_clock(look_into: Any, row: Any, sent: Any) -> None:
    """It is an error, and neither a fault nor the canary's."""
    ledger = detection_of(look_into([*row("broken-canary"), sent(61.0, ok=False)]))
    assert ledger.first_error_s == 1.0
    assert ledger.time_to_detect_s == (115.5, 115.5)


@pytest.mark.parametrize("upto_s", range(60, 200, 7))
def test_no_step_is_dated_after_the_end_of_the_timeline(look_into: Any, row: Any, upto_s: int) -> None:
    """Whatever a prefix of a timeline tells of had happened by its end, and the step is open until then."""
    cut = [event for event in row("erroruser") if event.at_s <= upto_s]
    evidence, ledger = look_into(cut), detection_of(look_into(cut))
    created_s = evidence.release.created_s
    assert (ledger.breach_s is None) == (evidence.end_s < 120.0)
    instants = [ledger.first_fault_s, ledger.first_error_s, ledger.breach_s, ledger.clean_s]
    bounds = [ledger.alarm_s, ledger.stopped_s, ledger.restored_s]
    latest = [*(at_s for at_s in instants if at_s is not None), *(at[1] for at in bounds if at)]
    assert max(latest, default=0.0) + (created_s or 0.0) <= evidence.end_s


def test_forced_alarm_is_the_first_fault(look_into: Any, row: Any) -> None:
    """From setting the state to CodeDeploy's answer."""
    ledger = detection_of(look_into(row("forced-alarm")))
    assert ledger.first_fault_s == 60.0
    assert ledger.time_to_roll_back_s == (12.0, 15.0)


def test_first_fault_is_the_first_request_and_not_the_plan(look_into: Any, row: Any) -> None:
    """Two a minute: the first of them is sent half a minute after the share was set."""
    assert detection_of(look_into(row("below-threshold"))).first_fault_s == 29.0


def exemplar(at_s: float, **given: Any) -> Exemplar:
    """A failed request of the sample."""
    fields = {"intent": "fault", "persona": "error", "endpoint": "/fakeUser", "version": "1", "status": 502}
    return Exemplar(at_s=at_s, reason="", latency_s=0.02, **{**fields, **given})


def test_first_fault_and_failure_are_dated_by_the_sample(look_into: Any, row: Any) -> None:
    """Requests are counted by the second, and an exemplar knows its own instant."""
    events = [*row("erroruser", faults=((10, 9e9, 1.0),)), exemplar(70.4), exemplar(70.7), exemplar(65.1)]
    ledger = detection_of(look_into(events))
    assert (ledger.first_fault_s, ledger.first_error_s) == (pytest.approx(10.4), pytest.approx(10.4))


def test_first_fault_request_is_not_before_its_fault(look_into: Any, row: Any) -> None:
    """Without an exemplar the fault's start is the earliest that it can have been."""
    events = row("erroruser", created_s=60.5, faults=((9.9, 9e9, 1.0),))
    counted = [
        msgspec.structs.replace(event, at_s=70.0)
        if isinstance(event, Requests) and event.intent == "fault" and event.at_s == 71.0
        else event
        for event in events
    ]
    ledger = detection_of(look_into(counted))
    assert (ledger.first_fault_s, ledger.first_error_s) == (pytest.approx(9.9), pytest.approx(9.9))


def test_first_fault_is_never_before_the_creation(look_into: Any, row: Any, sent: Any) -> None:
    """It counts by the whole second in which the deployment was created."""
    events = [*row("erroruser", created_s=60.6), sent(60.0, ok=False, intent="fault", persona="error")]
    assert detection_of(look_into(events)).first_fault_s == 0.0


def test_ledger_says_whether_the_first_fault_was_a_request(look_into: Any, row: Any) -> None:
    """An alarm that was forced is no request; without any fault nothing is said."""
    told = [detection_of(look_into(row(name))) for name in ("erroruser", "forced-alarm", "healthy")]
    assert [ledger.first_fault_requested for ledger in told] == [True, False, None]


def test_forced_alarm_began_with_the_call_that_set_it(look_into: Any, row: Any) -> None:
    """The alarm rings while the call is under way, and the fault is noted after it."""
    call = {"call": "cloudwatch:SetAlarmState", "subject": "errors"}
    writes = [Write(at_s=119.8, step="intended", **call), Write(at_s=130.0, step="intended", **call)]
    events = sorted([*row("forced-alarm", alarms=((59.9, 100.0),)), *writes], key=lambda event: event.at_s)
    ledger = detection_of(look_into(events))
    assert ledger.first_fault_s == pytest.approx(59.8)
    assert ledger.time_to_detect_s == (pytest.approx(0.1), pytest.approx(0.1))


def test_alarm_that_was_on_before_is_dated_negative_and_detected_nothing(look_into: Any, row: Any) -> None:
    """It cannot have been an answer to what came later."""
    ledger = detection_of(look_into(row("alarm-already-on")))
    assert ledger.alarm_s == (-60.0, -60.0)
    assert ledger.time_to_detect_s is None


def test_alarm_that_was_over_before_the_creation_does_not_count(look_into: Any, build: Any) -> None:
    """Yesterday's alarm is no detection."""
    assert alarm_start(look_into(build(alarms=((-50.0, -20.0),)))) is None


def test_alarm_without_history_is_bracketed(look_into: Any, row: Any) -> None:
    """Looks date it as well as they can."""
    events = [event for event in row("erroruser") if not isinstance(event, AlarmChanged)]
    undated = [
        AlarmSeen(at_s=event.at_s, asked_s=event.asked_s, name=event.name, state=event.state)
        if isinstance(event, AlarmSeen)
        else event
        for event in events
    ]
    low, high = detection_of(look_into(undated)).alarm_s
    assert low == pytest.approx(120.0)
    assert high == pytest.approx(130.2)


def test_experiments_alarm_is_the_rule_where_none_was_read(look_into: Any) -> None:
    """The file says what the alarm is meant to bear."""
    (rule,) = rules_of(look_into([], alarm={"threshold": 7}))
    assert rule.threshold == 7


def test_alarm_that_counts_no_failures_breaches_never(look_into: Any, row: Any) -> None:
    """Nothing is claimed about a metric that clients cannot see."""
    assert rules_of(look_into([], alarm={"metric": "Duration"})) == ()


def test_alarm_on_the_canarys_version_is_fed_with_its_answers(look_into: Any, build: Any) -> None:
    """Two errors a minute on the baseline do not breach an alarm on the canary."""
    dimensions = {"FunctionName": "fakeUser", "Resource": "fakeUser:Live", "ExecutedVersion": "2"}
    events = build(baseline_fails=0.05, dimensions=dimensions)
    assert detection_of(look_into([event for event in events if not _after(event, 360)])).breach_s is None
    assert detection_of(look_into(build(baseline_fails=0.05))).breach_s == 60.0


def _after(event: Event, at_s: float) -> bool:
    return isinstance(event, Requests) and event.at_s > at_s


def test_latencies_of_both_arms_have_intervals_and_a_ratio(look_into: Any, row: Any) -> None:
    """A canary fifty times slower is told as that; good requests alone count."""
    events = [
        replace(event, latency={bin_of(1.0): event.count})
        if isinstance(event, Requests) and event.version == "2"
        else event
        for event in row("healthy")
    ]
    latency = measure(look_into(events)).arms.latency
    assert latency is not None
    assert latency.canary_p99_ms == pytest.approx((1000, 1000), rel=0.01)
    assert latency.baseline_p99_ms == pytest.approx((20, 20), rel=0.01)
    assert latency.ratio == pytest.approx((50, 50), rel=0.02)


def test_arms_that_nothing_tells_apart_have_no_latency_to_compare(look_into: Any, row: Any) -> None:
    """Nobody measured it."""
    assert measure(look_into(row("healthy", headers=False))).arms.latency is None
