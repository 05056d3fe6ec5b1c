"""When traffic is steady enough for a deployment."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Experiment, Traffic
from harness.core.timeline.events import Arrivals, Event, FaultEnded, FaultStarted, Requests, Write
from harness.core.verdict.evidence import FAULT_CALLS, FaultTime, fault_times
from harness.core.verdict.judge import judge
from harness.core.verdict.steady import why_not_steady

Sent = Callable[..., Requests]
MINUTE = Experiment(name="built", steady_s=60)


def why(*requests: Requests, planned: int = 0, faults: Sequence[FaultTime] = (), asked: Experiment = MINUTE) -> Any:
    """Why this traffic is not steady."""
    return why_not_steady(asked, requests, [Arrivals(at_s=1.0, planned=planned, started=planned)], faults)


def test_traffic_that_is_answered_well_at_the_planned_rate_is_steady(sent: Sent) -> None:
    """A tenth may fail, and rows of the last moment may be missing."""
    assert why(sent(1.0, count=90), sent(1.0, count=10, ok=False), planned=200) is None


@pytest.mark.parametrize(
    ("well", "badly", "planned", "said"),
    [
        (0, 0, 0, "no request was sent"),
        (0, 1180, 1180, "none of 1,180 good requests was answered well"),
        (89, 11, 100, "only 89 of 100 good requests were answered well"),
        (40, 0, 100, "only 40 of 100 planned requests were sent and answered"),
        (4, 0, 4, "only 4 good requests were sent"),
        (1, 0, 1, "only 1 good request was sent"),
    ],
)
def test_what_is_not_steady_says_why(sent: Sent, well: int, badly: int, planned: int, said: str) -> None:
    """In numbers that the reader can compare."""
    rows = [sent(1.0, count=well), sent(1.0, count=badly, ok=False)]
    assert why(*(row for row in rows if row.count), planned=planned) == said


def test_fault_requests_are_no_sign_of_steadiness(sent: Sent) -> None:
    """They are meant to fail; alone they show nothing."""
    faults = sent(1.0, count=50, intent="fault", ok=False)
    assert why(faults, planned=50) == "no good request was sent"
    assert why(faults, sent(1.0, count=50), planned=100) is None


def test_failures_under_our_own_faults_are_no_reason(sent: Sent) -> None:
    """A concurrency limit of the experiment fails requests by plan; before it they were answered well, or not."""
    fault = FaultTime("throttled", "concurrency", "0", 10.0, 60.0)
    throttled = sent(20.0, count=90, ok=False)
    assert why(sent(1.0, count=10), throttled, planned=100, faults=[fault]) is None
    assert why(throttled, planned=90, faults=[fault]) is None
    assert why(sent(1.0, count=10, ok=False), throttled, planned=100, faults=[fault])


@pytest.mark.parametrize("kind", FAULT_CALLS)
def test_a_fault_lasts_from_the_intention_of_its_call(kind: Any) -> None:
    """Requests fail while the call is under way, and the fault is noted only when it has returned."""
    call = FAULT_CALLS[kind]
    written = [
        Write(at_s=at_s, call=call, subject="its", step=step) for at_s, step in ((8.0, "intended"), (30.0, "done"))
    ]
    started = FaultStarted(at_s=30.0, fault="faults[0]", kind=kind, value="0")
    (fault,) = fault_times([*written, started, FaultEnded(at_s=60.0, fault="faults[0]", why="it was planned")])
    assert (fault.began_s, fault.ended_s) == (8.0, 60.0)


def test_thin_traffic_and_no_steady_time_ask_for_less(sent: Sent) -> None:
    """A rate that brings two requests in the steady time needs one; without a steady time nothing is checked."""
    thin = Experiment(name="thin", steady_s=120, traffic=Traffic(arrival_rate=0.02))
    assert why(sent(50.0), planned=1, asked=thin) is None
    assert why(asked=thin) == "no request was sent"
    assert why(asked=Experiment(name="at-once", steady_s=0)) is None


def test_a_deployment_that_others_made_gets_a_finding(
    build: Callable[..., list[Event]], experiment: Callable[..., Experiment]
) -> None:
    """It cannot be kept from beginning, and the verdict says what it began under."""
    events = build()
    quiet = [event for event in events if not isinstance(event, Requests | Arrivals) or event.at_s >= 60]
    for seen, told in ((events, False), (quiet, True)):
        findings = [finding.id for finding in judge(experiment(), seen).findings]
        assert ("traffic-not-steady" in findings) is told


def test_an_alarm_is_not_blamed_where_no_request_reached_the_service(
    row: Callable[..., list[Event]], experiment: Callable[..., Experiment]
) -> None:
    """A wrong stage answers 403 to all: whatever the alarm's dimensions are, it had nothing to count."""
    refused = [
        replace(event, status=403, outcome="failed") if isinstance(event, Requests) else event
        for event in row("wrong-dimension")
    ]
    told = {finding.id: finding.text for finding in judge(experiment(), refused).findings}
    assert "traffic-not-steady" in told
    assert "no request reached the service" in told["alarm-no-data"]
