"""The second opinion on a release, beside the alarm's."""

from typing import Any

import msgspec
import pytest

from harness.core.timeline.events import AliasSeen, Event, MetricSeen, Requests
from harness.core.verdict.judge import judge
from harness.core.verdict.second_opinion import COLD_S
from harness.core.verdict.types import SecondOpinion, Verdict


@pytest.fixture
def opinion(experiment: Any) -> Any:
    """The second opinion on a timeline."""

    def told(events: list[Event], **keys: Any) -> SecondOpinion | None:
        return judge(experiment(**keys), events).second_opinion

    return told


def test_a_broken_canary_is_stopped_long_before_the_alarm(opinion: Any, row: Any) -> None:
    """It says when, how long before the alarm, and how many requests still went to the canary."""
    events = row("broken-canary")
    told = opinion(events)
    assert told.stop_s < 20
    assert told.lead_s == pytest.approx((120.5 - told.stop_s,) * 2)
    later = [
        seen for seen in events if isinstance(seen, Requests) and seen.version == "2" and seen.at_s >= 60 + told.stop_s
    ]
    assert told.spared == sum(seen.count for seen in later) > 100
    assert told.spared_failures == sum(seen.count for seen in later if seen.outcome == "failed")


@pytest.mark.parametrize("name", ["healthy", "erroruser", "forced-alarm", "linear", "late-fault", "no-rollback"])
def test_what_fails_on_both_versions_alike_is_no_evidence(name: str, opinion: Any, row: Any) -> None:
    """Such as the fault requests that are meant to fail."""
    told = opinion(row(name))
    assert told.stop_s is None
    assert told.failures.e_value < 2
    assert (told.lead_s, told.spared, told.spared_failures) == (None, None, None)


def test_an_outage_of_both_versions_is_no_evidence(opinion: Any, build: Any) -> None:
    """However many fail."""
    told = opinion(build(canary_fails=0.5, baseline_fails=0.5))
    assert told.stop_s is None
    assert told.failures.canary[0] > 100


def test_a_slow_canary_is_stopped_after_its_cold_starts(opinion: Any, build: Any) -> None:
    """What is slow is told by the answers before the creation; new environments are given time."""
    told = opinion(build(latency_s=(0.02, 0.5)))
    assert told.slowness.stop_s == told.stop_s
    assert 5 + COLD_S < told.stop_s < 60
    assert told.slow_above_ms == pytest.approx(70, rel=0.01)
    assert told.failures.stop_s is None


def test_the_objective_says_what_is_slow(opinion: Any, build: Any) -> None:
    """Answers within it are not."""
    told = opinion(build(latency_s=(0.02, 0.5)), objective={"latency": {"p99_s": 0.8}})
    assert told.stop_s is None
    assert told.slow_above_ms == pytest.approx(800)


def test_without_traffic_before_the_creation_only_failures_are_compared(opinion: Any, build: Any) -> None:
    """Then one process takes no more than 1 / alpha."""
    told = opinion(build(created_s=0.0, canary_fails=0.5))
    assert told.slowness is None
    assert told.failures.least == 20
    assert told.stop_s is not None


def test_cloudwatch_tells_it_where_no_header_does(opinion: Any, build: Any) -> None:
    """By the periods in which the weight held, and from when on they were known."""
    events = build(headers=False, canary_fails=0.5)
    known_s = max(seen.at_s for seen in events if isinstance(seen, MetricSeen))
    told = opinion(events)
    assert told.stop_s == pytest.approx(known_s - 60)
    assert told.slowness is None
    assert told.spared is None


@pytest.mark.parametrize("name", ["all-at-once", "alarm-already-on"])
def test_there_is_none_where_the_versions_never_shared_the_traffic(name: str, opinion: Any, row: Any) -> None:
    """Nothing said is better than "no evidence"."""
    assert opinion(row(name)) is None


def test_a_canary_with_more_traffic_than_its_weight_is_not_stopped_for_it(opinion: Any, build: Any) -> None:
    """Where half of the traffic goes to it under a weight of 10 %, half of the failures are its by chance."""
    events = build(canary_fails=0.1, baseline_fails=0.1, shifts=((5.0, 0.5), (305.0, 1.0)))
    told = opinion([_at_ten_percent(event) for event in events])
    assert told.failures.canary[0] > 20
    assert told.stop_s is None


def _at_ten_percent(event: Event) -> Event:
    if isinstance(event, AliasSeen) and event.weights:
        return msgspec.structs.replace(event, weights={"2": 0.1})
    weight = getattr(event, "weight", None)
    return msgspec.structs.replace(event, weight=0.1) if weight == 0.5 else event  # type: ignore[type-var]


def test_whoever_looks_earlier_is_told_the_same(opinion: Any, row: Any) -> None:
    """A stop that was told while the run lasted stays, at the same second."""
    events = row("broken-canary")
    stop_s = opinion(events).stop_s
    seen = [told for upto in range(0, len(events), 97) if (told := opinion(events[:upto]))]
    stops = [told.stop_s for told in seen if told.stop_s is not None]
    assert stops
    assert set(stops) == {stop_s}


def test_it_changes_nothing_else_of_the_verdict(experiment: Any, row: Any) -> None:
    """A verdict of an earlier version, which has none, reads as one without."""
    verdict = judge(experiment(), row("broken-canary"))
    former = {key: value for key, value in msgspec.to_builtins(verdict).items() if key != "second_opinion"}
    read = msgspec.convert(former, Verdict)
    assert read.second_opinion is None
    assert read == msgspec.structs.replace(verdict, second_opinion=None)
