"""What shadow alarms would have done: beside the verdict, and never a part of it."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call, ShadowAlarm
from harness.core.timeline.events import AlarmDefined, AlarmMetricSeen, Event, LookFailed, MetricSeen, Shadow
from harness.core.timeline.shadow import shadow_defined
from harness.core.verdict.judge import judge
from harness.core.verdict.shadows import NEVER_DEFINED, NO_DATAPOINT
from harness.core.verdict.types import ShadowFacts, Verdict

STRICT, NEVER = {"name": "strict", "threshold": 1}, {"name": "never", "threshold": 100_000}
Watched = Callable[..., list[Event]]


def watched(events: list[Event], *alarms: dict[str, Any]) -> list[Event]:
    """A timeline in which these shadow alarms were read whenever the function's own errors were."""
    return [told for event in events for told in (event, *_beside(event, alarms))]


def _beside(event: Event, alarms: tuple[dict[str, Any], ...]) -> Iterator[Event]:
    if not isinstance(event, MetricSeen) or (event.metric, event.version) != ("Errors", None):
        return
    for alarm in alarms:
        defined = shadow_defined(msgspec.convert(alarm, ShadowAlarm), {"function": "fakeUser"}, event.at_s)
        assert defined
        read = AlarmMetricSeen(
            asked_s=event.asked_s,
            at_s=event.at_s,
            alarm=defined.name,
            query="m1",
            period_s=60,
            points=event.points,
        )
        yield from (Shadow(at_s=event.at_s, seen=seen) for seen in (defined, read))


@pytest.fixture
def facts(experiment: Any, row: Any) -> Callable[..., ShadowFacts]:
    """What one shadow alarm would have done to a packaged experiment."""

    def told(name: str, alarm: dict[str, Any], **changes: Any) -> ShadowFacts:
        events = watched(row(name, **changes), alarm)
        return judge(experiment(shadow=[alarm]), events).shadow[0]

    return told


@pytest.mark.parametrize("name", ["erroruser", "healthy", "late-fault", "forced-alarm", "thin-traffic"])
def test_nothing_else_in_the_verdict_depends_on_them(name: str, experiment: Any, row: Any) -> None:
    """Fact, call, result, exit code, reasons and findings are those of a run without them."""
    without: Verdict = judge(experiment(), row(name))
    beside: Verdict = judge(experiment(shadow=[STRICT, NEVER]), watched(row(name), STRICT, NEVER))
    assert len(beside.shadow) == 2
    assert replace(beside, shadow=()) == without


def test_a_stricter_alarm_would_have_rung_before_the_real_one(facts: Any) -> None:
    """By how much is told in bounds: how long CloudWatch takes is not the same each time."""
    told = facts("erroruser", STRICT)
    # The run began at a full minute, and the faults with the deployment, 60 s later.
    assert told.decided_s == 60.0
    assert told.alarm_s == (77.0, 131.0)
    assert told.lead_s == pytest.approx((120.5 - 131.0, 120.5 - 77.0))
    assert (told.stops, told.call, told.alarms, told.false_alarms) == (True, Call.CAUGHT, 1, 0)


def test_an_alarm_that_never_rings_lets_a_broken_canary_pass(facts: Any) -> None:
    """Where the canary was promoted, the whole bake time tells that."""
    told = facts("late-fault", NEVER)
    assert (told.alarm_s, told.stops, told.call, told.why) == (None, False, Call.MISSED, None)


def test_what_comes_after_the_real_stop_is_not_known(facts: Any) -> None:
    """An alarm that had not rung by then may have rung a minute later."""
    told = facts("erroruser", NEVER)
    assert (told.alarm_s, told.stops, told.call) == (None, None, Call.INCONCLUSIVE)
    assert "what came after is not known" in told.why


def test_an_alarm_that_rings_too_late_stops_nothing(facts: Any) -> None:
    """Failures 25 s before the end of the bake time put even the strictest alarm in ALARM after it."""
    told = facts("late-fault", STRICT)
    assert (told.stops, told.call) == (False, Call.MISSED)


def test_an_alarm_on_a_healthy_release_is_false(facts: Any) -> None:
    """A few errors of both versions are borne by the real alarm, and stop the release by a strict one."""
    told = facts("below-threshold", STRICT)
    assert (told.stops, told.call) == (True, Call.FALSE_ALARM)
    assert told.false_alarms == told.alarms >= 1


def test_without_harm_and_without_alarm_it_clears_the_release(facts: Any) -> None:
    """As the real one does."""
    told = facts("healthy", NEVER)
    assert (told.stops, told.call, told.alarms, told.false_alarms) == (False, Call.CLEARED, 0, 0)


def test_a_forced_alarm_is_no_measure_of_another_one(facts: Any) -> None:
    """It rang since we set it, and not by its metric."""
    assert facts("forced-alarm", STRICT).lead_s is None


def test_errors_before_the_creation_are_no_harm_of_the_canary(facts: Any) -> None:
    """An alarm that they put in ALARM would have stopped the release at once, and falsely."""
    told = facts("alarm-already-on", STRICT)
    assert told.decided_s < 0
    assert told.false_alarms == told.alarms == 1


def test_an_alarm_without_datapoints_says_so(experiment: Any, row: Any) -> None:
    """Nothing seen is no OK."""
    events = watched(row("healthy"), STRICT)
    empty = [
        replace(event, seen=replace(event.seen, points=()))
        if isinstance(event, Shadow) and isinstance(event.seen, AlarmMetricSeen)
        else event
        for event in events
    ]
    told = judge(experiment(shadow=[STRICT]), empty).shadow[0]
    assert (told.stops, told.call, told.alarms, told.why) == (None, Call.INCONCLUSIVE, None, NO_DATAPOINT)


def test_an_alarm_that_was_never_read_says_why(experiment: Any, row: Any) -> None:
    """Because its dimensions were never known, or its expression cannot be evaluated, or CloudWatch refused."""
    versions = {"name": "canary", "dimensions": "version"}
    wrong = {"name": "wrong", "expression": "1 +", "metrics": {"a": {"metric": "Errors"}}}
    told = judge(experiment(shadow=[versions, wrong]), row("healthy")).shadow
    assert told[0].why == NEVER_DEFINED
    assert "cannot be evaluated" in told[1].why
    failed = LookFailed(asked_s=1.0, at_s=1.0, call="c", code="ValidationError", message="no such statistic")
    events = [event for event in watched(row("healthy"), STRICT) if not _is_read(event)]
    refused = judge(experiment(shadow=[STRICT]), [*events, Shadow(at_s=1.0, seen=failed)]).shadow[0]
    assert "no such statistic" in refused.why


def _is_read(event: Event) -> bool:
    return isinstance(event, Shadow) and isinstance(event.seen, AlarmMetricSeen)


def test_any_beginning_of_a_run_has_facts(experiment: Any, row: Any) -> None:
    """The panel judges while the run lasts; what is not over yet is never told as if it were."""
    events = watched(row("healthy"), NEVER)
    for length in range(0, len(events), 97):
        for told in judge(experiment(shadow=[NEVER]), events[:length]).shadow:
            assert told.stops is None or events[length - 1].at_s >= 60 + 306


@pytest.mark.parametrize(
    "changes",
    [
        {"period_s": -60},
        {"period_s": 10**30},
        {"evaluation_periods": 10**9},
        {"datapoints": -1},
        {"threshold": None},
        {"comparison": "LessThanLowerThreshold"},
        {"metric": None},
    ],
)
def test_a_damaged_definition_tells_nothing(changes: dict[str, Any], experiment: Any, row: Any) -> None:
    """Nor does it cost any time."""
    events = [
        replace(event, seen=replace(event.seen, **changes))
        if isinstance(event, Shadow) and isinstance(event.seen, AlarmDefined)
        else event
        for event in watched(row("erroruser"), STRICT)
    ]
    told = judge(experiment(shadow=[STRICT]), events).shadow[0]
    assert (told.call, told.alarms, told.stops) == (Call.INCONCLUSIVE, None, None)
    assert told.why


def test_a_ratio_of_which_one_metric_is_missing_tells_nothing(experiment: Any, row: Any) -> None:
    """Without a value there is no OK."""
    ratio = {"name": "ratio", "expression": "m1 / all", "metrics": {"m1": {"metric": "Errors"}}, "threshold": 1}
    ratio["metrics"]["all"] = {"metric": "Invocations"}
    told = judge(experiment(shadow=[ratio]), watched(row("erroruser"), ratio)).shadow[0]
    assert (told.alarms, told.why) == (None, NO_DATAPOINT)
