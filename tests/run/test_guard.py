"""What the guard counts of a run."""

import time
from typing import Any

import pytest

from harness.core.experiment.rails import limits_of
from harness.core.experiment.types import Rails
from harness.core.timeline.events import AliasSeen, Event, LookFailed, Requests
from harness.run.guard import Guard
from harness.traffic.steering import Timebase

AGO_S = 300.0


def guard_of(watched: bool = True, **rails: Any) -> Guard:
    """The guard of a run on AWS that began five minutes ago."""
    return Guard(limits_of(Rails(**rails), "https://api.example.com"), Timebase(time.time()), watched=watched)


def old_guard(**rails: Any) -> Guard:
    """The same, where nothing was seen since the beginning."""
    guard = guard_of(**rails)
    guard._base = Timebase(time.time() - AGO_S)
    return guard


def sent(count: int, intent: Any = "fault", at_s: float = 0.0) -> Event:
    """A row of traffic."""
    return Requests(
        at_s=at_s,
        intent=intent,
        persona="error",
        endpoint="/fakeUser",
        version=None,
        outcome="failed",
        status=502,
        count=count,
        latency={},
        service_time={},
    )


def looked() -> Event:
    """A look that succeeded."""
    return AliasSeen(at_s=1.0, asked_s=0.9, function="fn", alias="Live", version="1")


def tripped(guard: Guard, *, active: bool = True, planned: bool = True) -> str | None:
    """The rail that tripped."""
    trip = guard.tripped(faults_active=active, planned=planned)
    return trip.rail if trip else None


def test_fault_requests_are_counted_over_the_run() -> None:
    """Good ones are not."""
    guard = guard_of(fault_requests=10)
    for count, intent in ((10, "fault"), (500, "good")):
        guard.note(sent(count, intent))
    assert tripped(guard) is None
    guard.note(sent(1))
    assert tripped(guard) == "fault_requests"


def test_wall_time_is_counted_from_the_beginning() -> None:
    """Whatever the clock of the experiment says."""
    assert tripped(old_guard(wall_time_s=299.0), active=False) == "wall_time_s"
    assert tripped(old_guard(wall_time_s=600.0), active=False) is None


@pytest.mark.parametrize("planned", [True, False])
def test_a_rate_that_nobody_plans_is_measured(planned: bool) -> None:
    """Over ten seconds; a planned one was checked when it was asked for."""
    guard = guard_of(arrival_rate=10)
    guard.note(sent(500, "good"))
    assert tripped(guard, planned=planned) == (None if planned else "arrival_rate")


def test_faults_that_nobody_can_watch_trip_the_dead_mans_switch() -> None:
    """Only while there are any, and only where there is something to watch."""
    assert tripped(old_guard()) == "blind_s"
    assert tripped(old_guard(), active=False) is None
    assert tripped(old_guard(blind_s=400.0)) is None
    assert tripped(guard_of()) is None


def test_a_look_that_succeeds_is_sight_and_one_that_fails_is_not() -> None:
    """However often it fails."""
    guard = old_guard()
    guard.note(LookFailed(at_s=1.0, asked_s=0.9, call="lambda:GetAlias", code="Timeout", message="no"))
    assert tripped(guard) == "blind_s"
    guard.note(looked())
    assert tripped(guard) is None


def test_traffic_alone_has_no_sight_to_lose() -> None:
    """Without a deployment there is nothing to look at."""
    guard = guard_of(watched=False)
    guard._base = Timebase(time.time() - AGO_S)
    assert tripped(guard) is None
