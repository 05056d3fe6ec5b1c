"""What nobody could see as harm keeps a canary from being cleared, and a rollback from being a false alarm."""

from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.timeline.events import (
    AlarmDefined,
    AliasSeen,
    Arrivals,
    Event,
    LifecycleEvent,
    MetricSeen,
    Requests,
    RunStarted,
    TargetSeen,
)
from harness.core.timeline.histogram import bin_of

UNDONE: dict[str, Any] = {"end": "rolled_back", "end_s": 131.0, "alarms": ((120.5, 240.0),)}
SLOW: dict[str, Any] = {"latency_s": (0.02, 2.0)}
HANDLED: dict[str, Any] = {"canary_fails": 0.5, "failed_status": 500}
DURATION = AlarmDefined(
    at_s=0.1,
    asked_s=0.0,
    name="errors",
    metric="Duration",
    namespace="AWS/Lambda",
    dimensions={"FunctionName": "fakeUser"},
    statistic="p99",
    period_s=60,
    evaluation_periods=1,
    datapoints=1,
    threshold=1000.0,
    comparison="GreaterThanThreshold",
)


def watched(events: list[Event]) -> list[Event]:
    """The same release as a run without traffic of its own sees it."""
    seen = [event for event in events if not isinstance(event, Requests | Arrivals)]
    return [replace(event, sends=False) if isinstance(event, RunStarted) else event for event in seen]


def late_failures(events: list[Event], since_s: float) -> list[Event]:
    """API Gateway's 502, which names no version, instead of each answer of the canary from an instant on."""

    def broken(event: Event) -> Event:
        is_late = isinstance(event, Requests) and event.version in (None, "2") and event.at_s >= since_s
        return replace(event, outcome="failed", status=502, version=None) if is_late else event

    return [broken(event) for event in events]


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("ending", [{}, UNDONE], ids=["promoted", "rolled back"])
def test_failures_that_nothing_gives_to_a_version_are_not_health(
    build: Any, judged: Any, ending: dict[str, Any], metrics: bool
) -> None:
    """Lambda counts no error of a handler that answers 500, and no header says who did."""
    verdict = judged(build(headers=False, metrics=metrics, **HANDLED, **ending))
    assert verdict.call == "inconclusive", verdict.because


def test_failures_that_cloudwatch_gives_to_the_baseline_are_none_of_the_canary(build: Any, judged: Any) -> None:
    """It counts as many as clients saw; those that it gives to nobody may be the canary's beyond the usual ones."""
    failing: dict[str, Any] = {"headers": False, "baseline_fails": 0.02}
    assert judged(build(**failing, canary_fails=0.02)).call == "cleared"
    assert judged(build(**failing, canary_fails=0.1, failed_status=500)).call == "inconclusive"


@pytest.mark.parametrize("headers", [True, False])
def test_failures_after_the_promotion_count_though_no_header_names_the_canary(
    build: Any, judged: Any, headers: bool
) -> None:
    """All was well while the versions shared the traffic."""
    events = late_failures(build(metrics=False, headers=headers, after_s=200.0), 375.0)
    assert judged(events).call == "inconclusive"


@pytest.mark.parametrize(
    "release",
    [
        {"headers": False},
        {"headers": False, "guards": (DURATION,), **UNDONE},
        {"config": ("CodeDeployDefault.LambdaAllAtOnce", "all_at_once", None, None), "shifts": ((2.0, 1.0),)},
        {"rate": 0.5, "after_s": 300.0},
    ],
    ids=["no header", "rolled back", "all at once", "too few to compare"],
)
def test_slow_answers_that_cannot_be_compared_are_not_health(build: Any, judged: Any, release: dict[str, Any]) -> None:
    """They are a hundred times slower than the baseline's, or than those before the deployment."""
    assert judged(build(**release, **SLOW)).call == "inconclusive"
    assert judged(build(**release)).call in ("cleared", "false_alarm")


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_canary_that_gets_slow_after_its_promotion_is_in_doubt(build: Any, judged: Any, speed: float) -> None:
    """Where time is compressed, the doubt names the machine, too, which may have been what was slow."""
    told = [
        replace(event, latency={bin_of(0.5): event.count})
        if isinstance(event, Requests) and event.at_s >= 380.0
        else replace(event, speed=speed)
        if isinstance(event, RunStarted)
        else event
        for event in build()
    ]
    verdict = judged(told)
    assert verdict.call == "inconclusive"
    assert ("at speed 60 one busy second of this machine is 60 slow ones" in verdict.because[1]) == (speed > 1)


def test_rollback_by_what_nobody_measured_is_no_false_alarm(build: Any, judged: Any) -> None:
    """Without traffic of our own nothing tells how slow the canary was."""
    verdict = judged(watched(build(guards=(DURATION,), **SLOW, **UNDONE)))
    assert verdict.call == "inconclusive"
    assert "the alarm errors went to ALARM, and what it watches was not measured" in verdict.because[1]
    assert judged(watched(build(**UNDONE))).call == "false_alarm"


@pytest.mark.parametrize("unlike", ["a Metrics Insights query", None])
def test_rollback_by_an_alarm_that_cannot_be_evaluated_is_no_false_alarm(
    build: Any, judged: Any, unlike: str | None
) -> None:
    """It may have seen what no answer tells; the experiment's own forcing of it is known."""
    guards = (replace(DURATION, unlike=unlike, metric=DURATION.metric if unlike else "OrdersLost"),)
    assert judged(build(guards=guards, **UNDONE)).call == "inconclusive"
    assert judged(build(guards=guards, forced=(120.0, 240.0), **UNDONE)).call == "false_alarm"


def test_invocations_without_their_errors_are_not_health(build: Any, judged: Any) -> None:
    """CloudWatch writes a zero for each invocation that succeeded, so their absence is a look that failed."""
    events = watched(build())
    untold = [event for event in events if not (isinstance(event, MetricSeen) and event.metric == "Errors")]
    assert judged(events).call == "cleared"
    assert "CloudWatch shows no harm" in judged(events).because[1]
    assert judged(untold).call == "inconclusive"


def with_durations(events: list[Event], *, canary_ms: float, baseline_ms: float) -> list[Event]:
    """The same, and how long CloudWatch says that an invocation of either version took on average."""
    took = {"2": canary_ms, "1": baseline_ms}
    calls = [one for one in events if isinstance(one, MetricSeen) and one.metric == "Invocations" and one.version]
    durations = [
        replace(one, metric="Duration", points=tuple((start_s, took[str(one.version)]) for start_s, _ in one.points))
        for one in calls
    ]
    at = events.index(calls[-1])
    return [*events[:at], *durations, *events[at:]]


def test_slow_canary_is_not_cleared_by_others_requests(build: Any, judged: Any) -> None:
    """Without requests of our own CloudWatch's Duration tells of slowness, and where it does not, that is said."""
    slow = judged(with_durations(watched(build()), canary_ms=2003.0, baseline_ms=2.0))
    assert slow.call == "inconclusive"
    assert "took 2003 ms on average, and one of the baseline 2 ms" in slow.because[1]
    alike = judged(with_durations(watched(build()), canary_ms=40.0, baseline_ms=2.0))
    assert alike.call == "cleared"
    assert (
        "whose Duration was 40 ms on average (2 ms on the baseline); what the code answered was not seen"
        in alike.because[1]
    )
    untold = judged(watched(build()))
    assert "how long they took, and what the code answered, was not seen" in untold.because[1]
    assert not any("No harm was found" in said for verdict in (alike, untold) for said in verdict.because)


def test_slow_version_that_got_all_traffic_at_once_is_not_cleared(build: Any, judged: Any, row: Any) -> None:
    """It never shared the traffic, so the invocations before the creation say what is usual."""
    at_once = watched(row("all-at-once", faults=(), alarms=()))
    slow = judged(with_durations(at_once, canary_ms=2003.0, baseline_ms=2.0))
    assert slow.call == "inconclusive"
    assert "took 2003 ms on average, and one of the baseline 2 ms before the creation" in slow.because[1]
    alike = judged(with_durations(at_once, canary_ms=40.0, baseline_ms=2.0))
    assert alike.call == "cleared"
    assert "whose Duration was 40 ms on average (2 ms on the baseline before)" in alike.because[1]
    untold = with_durations(at_once, canary_ms=40.0, baseline_ms=2.0)
    untold = [one for one in untold if getattr(one, "metric", None) != "Duration" or getattr(one, "version", "") == "2"]
    assert "nothing tells how long those of the baseline took" in judged(untold).because[1]


def erring(events: list[Event], share: float, since_s: float) -> list[Event]:
    """The same, with this share of both versions' invocations in Errors from a minute on."""
    called = {one.version: one.points for one in events if isinstance(one, MetricSeen) and one.metric == "Invocations"}

    def counted(event: Event) -> Event:
        if not isinstance(event, MetricSeen) or event.metric != "Errors":
            return event
        points = tuple((at_s, share * number if at_s >= since_s else 0.0) for at_s, number in called[event.version])
        return replace(event, points=points)

    return [counted(event) for event in events]


@pytest.mark.parametrize("release", [{}, UNDONE], ids=["promoted", "rolled back"])
def test_errors_of_both_versions_that_begin_with_the_release_are_in_doubt_without_requests_of_our_own(
    release: dict[str, Any], build: Any, judged: Any
) -> None:
    """A migration may hurt the baseline, too: CloudWatch tells that none failed before."""
    verdict = judged(erring(watched(build(**release)), 0.2, since_s=60.0))
    assert verdict.call == "inconclusive"
    assert "by CloudWatch" in verdict.because[1]
    assert "did before the deployment" in verdict.because[1]
    usual = judged(erring(watched(build(**release)), 0.2, since_s=0.0))
    assert usual.call in ("cleared", "false_alarm")


def test_a_load_generator_that_was_late_blames_no_canary_for_slowness(build: Any, judged: Any) -> None:
    """It measured its own lateness, too."""
    slow = build(**SLOW)
    late = [
        replace(one, planned=one.planned * 2, unstarted=one.planned) if isinstance(one, Arrivals) else one
        for one in slow
    ]
    assert judged(slow).call == "missed"
    assert judged(late).call == "inconclusive"
    assert "the load generator may be what was slow" in judged(late).because[1]


def test_own_answers_say_more_of_slowness_than_averages(build: Any, judged: Any) -> None:
    """Where headers tell the versions apart, every answer was timed."""
    assert judged(with_durations(build(), canary_ms=2003.0, baseline_ms=2.0)).call == "cleared"


def test_failures_of_others_requests_are_seen_by_cloudwatch(build: Any, judged: Any) -> None:
    """This run's own requests were answered well, and those of the users were not."""

    def with_others(event: Event) -> Event:
        if not isinstance(event, MetricSeen) or event.version == "1":
            return event
        more = 200 if event.metric == "Errors" else 400
        points = tuple((start_s, value + (more if 60 <= start_s < 180 else 0)) for start_s, value in event.points)
        return replace(event, points=points)

    verdict = judged([with_others(event) for event in build(**UNDONE)])
    assert verdict.call == "inconclusive", verdict.because


def test_silent_canary_is_not_cleared_though_no_look_showed_the_alias(build: Any, judged: Any) -> None:
    """CodeDeploy's own word tells when the canary had its share."""
    silent = [
        event
        for event in build()
        if not isinstance(event, AliasSeen | Arrivals)
        and not (isinstance(event, Requests) and event.version == "2" and event.at_s < 366)
    ]
    assert judged(silent).call == "inconclusive"


def test_canary_whose_traffic_fell_between_two_looks_had_traffic(build: Any, judged: Any) -> None:
    """CodeDeploy says that it shifted all traffic at once, and a hook failed before the next look."""
    at_once = {"config": ("CodeDeployDefault.LambdaAllAtOnce", "all_at_once", None, None), "shifts": ((2.0, 1.0),)}
    went = build(end="hook", end_s=5.0, headers=False, metrics=False, **at_once)
    allowed = (LifecycleEvent(name="AllowTraffic", status="Succeeded"),)
    told = [replace(event, lifecycle=allowed) if isinstance(event, TargetSeen) else event for event in went]
    verdict = judged(told)
    assert verdict.call == "inconclusive"
    assert not any("never had traffic" in said for said in verdict.because)


def refused(events: list[Event]) -> list[Event]:
    """The same with fault requests that API Gateway refuses."""
    is_fault = (isinstance(event, Requests) and event.intent == "fault" for event in events)
    return [replace(event, status=403) if hit else event for event, hit in zip(events, is_fault, strict=True)]


def test_refused_fault_requests_are_harm_by_an_alarm_that_counts_refusals(build: Any, judged: Any) -> None:
    """An alarm on 4XXError saw them; for one on errors the service had nothing to bear."""
    refusals = replace(DURATION, metric="4XXError", statistic="Sum", threshold=3.0)
    asked: dict[str, Any] = {"faults": ((0, 9e9, 0.05),)}
    assert judged(refused(build(guards=(refusals,), **asked))).call == "missed"
    assert judged(refused(build(guards=(refusals,), **asked, **UNDONE))).call == "caught"
    verdict = judged(refused(build(**asked)))
    assert verdict.call == "inconclusive"
    assert "were refused" in verdict.because[1]


@pytest.mark.parametrize("release", [{"headers": False}, {"rate": 0.5, "after_s": 300.0}], ids=["no header", "few"])
def test_objective_of_latency_that_was_not_measured_clears_nobody(
    build: Any, judged: Any, release: dict[str, Any]
) -> None:
    """It is held against the canary's latency beside the baseline's, and against nothing else."""
    objective = {"latency": {"p99_s": 0.2}}
    assert judged(build(**release), objective=objective).call == "inconclusive"
    assert judged(build(**release)).call == "cleared"
    assert judged(build(), objective=objective).call == "cleared"


def test_answers_of_an_alias_that_nobody_saw_are_not_the_canarys(build: Any, judged: Any) -> None:
    """Without a header and without CloudWatch only the alias tells that the canary had its share."""
    events = build(headers=False, metrics=False)
    assert judged(events).call == "cleared"
    assert judged([event for event in events if not isinstance(event, AliasSeen)]).call == "inconclusive"


STEPS: dict[str, Any] = {
    "config": ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", "linear", 0.1, 60.0),
    "shifts": tuple((5.0 + 60 * step, (step + 1) / 10) for step in range(10)),
}
BEGAN_S = 360.0


def troubled(event: Event) -> Event:
    """From an instant on a third of the requests fail on both versions alike."""
    if isinstance(event, Requests) and event.at_s >= BEGAN_S and event.at_s % 3 == 0:
        return replace(event, outcome="failed", status=502)
    if isinstance(event, MetricSeen) and event.metric == "Errors" and event.version in ("1", "2"):
        return replace(event, points=())
    return event


def counted(events: list[Event]) -> list[Event]:
    """The same with CloudWatch's errors of each version: a third of its invocations."""
    series = [event for event in events if isinstance(event, MetricSeen) and event.metric == "Invocations"]
    errors = [
        replace(
            seen,
            metric="Errors",
            points=tuple((start_s, value // 3 if start_s >= BEGAN_S else 0) for start_s, value in seen.points),
        )
        for seen in series
        if seen.version
    ]
    return sorted([*map(troubled, events), *errors], key=lambda event: event.at_s)


@pytest.mark.parametrize("sees", ["headers", "no headers", "no traffic of its own"])
@pytest.mark.parametrize(
    ("ending", "calls"),
    [
        ({"end_s": 546.0}, ("inconclusive", "cleared")),
        ({**UNDONE, "end_s": 480.0, "alarms": ((470.0, 560.0),)}, ("inconclusive", "false_alarm")),
    ],
    ids=["promoted", "rolled back"],
)
def test_trouble_of_both_versions_is_not_the_canarys_because_it_came_late(
    build: Any, judged: Any, sees: str, ending: dict[str, Any], calls: tuple[str, ...]
) -> None:
    """The canary had most of the traffic by then, and so most of the failures."""
    events = counted(build(headers=sees == "headers", **STEPS, **ending))
    verdict = judged(watched(events) if sees == "no traffic of its own" else events)
    assert verdict.call in calls, verdict.because
